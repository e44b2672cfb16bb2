"""What a bundle of a strategy comes to: its code run over the declared bars, as `strades backtest` runs it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from strades_pipelines.system.isolation import Limits

if TYPE_CHECKING:
    from strades_pipelines.research.study import Run
    from strades_pipelines.simulation.backtest import Bars

# What is compared: the account as the engine steps it, number by number. Figures worked out of it are the claims.
COMPARED = ("fills", "orders", "cash", "equity", "fees", "refused", "cut", "margin_calls", "ruined_at")


@dataclass(frozen=True)
class StrategyQuestion:
    """What is run: `file` is the path of the code in its folder, `terms` are those of a manifest."""

    names: ClassVar[tuple[str, ...]] = COMPARED
    file: str
    class_name: str
    parameters: Mapping[str, Any]
    terms: Mapping[str, Any]
    bars: "Sequence[Bars]"
    limits: Limits = field(default_factory=Limits)

    def work_out(self, work: Path) -> Mapping[str, Any]:
        """The account, step by step, and the statistics of the run."""
        return _document(_study_run(self, work))


def _study_run(question: StrategyQuestion, work: Path) -> "Run":
    from pydantic import TypeAdapter, ValidationError

    from strades_pipelines.bad_input import BadInput
    from strades_pipelines.research.backtest_inputs import TermsChoice
    from strades_pipelines.research.study import Study
    from strades_pipelines.strategy.strategy_files import load_strategy

    try:
        chosen = TypeAdapter(TermsChoice).validate_python(dict(question.terms))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"terms: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    terms = chosen.terms()
    strategy = load_strategy(f"{question.file}:{question.class_name}")
    parameters, cache = dict(question.parameters), work / "cache"
    return Study(strategy, parameters, question.bars, terms, chosen.options, "auto", cache, chosen.close_at_end).run()


def _document(run: "Run") -> dict[str, Any]:
    from io import StringIO

    from strades_pipelines.research.document import document, significance_of, statistics
    from strades_pipelines.research.json_rows import write

    figures = statistics(run)
    stream = StringIO()
    write(document(run, figures, significance_of(run, [run.trial])), stream)
    told = json.loads(stream.getvalue())
    return {
        "result": {name: told[name] for name in COMPARED},
        "claims": told["statistics"],
        "code_sha256": told["code_hash"],
    }
