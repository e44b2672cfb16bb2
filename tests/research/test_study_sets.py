"""The sets of a study where they run: what a node with a copy of the strategy's file says of it."""

from dataclasses import replace
from pathlib import Path

from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice
from strades_pipelines.research.backtesting import study_of
from strades_pipelines.research.study_sets import SetReturns, StudyInputs
from tests.research.bars import bar_file

RAISES = """
from strades_pipelines.strategy.strategy import Strategy

class Raises(Strategy):
    after: int = 5

    def on_start(self, account):
        self.k = 0

    def on_aggregate_bar(self, bar, account):
        self.k += 1
        if self.k > self.after:
            raise ValueError("too far")
"""


def test_a_reason_names_the_file_as_the_person_did(tmp_path: Path) -> None:
    named, node = tmp_path / "mine.py", tmp_path / "node" / "mine.py"
    node.parent.mkdir()
    for file in (named, node):
        file.write_text(RAISES)
    data = DataChoice(files=[str(bar_file(tmp_path))])
    study = study_of(f"{named}:Raises", [], data, TermsChoice(), "events")
    inputs = StudyInputs.of(study, f"{named}:Raises")
    far = replace(inputs, strategy=f"{node}:Raises")
    sets = [{"after": 5}, {"after": 1000}]
    [here, whole], [there, also_whole] = (each.runner().run_all(sets) for each in (inputs, far))
    assert here == there
    assert str(here).startswith(f"{named}:13: ")
    assert isinstance(whole, SetReturns)
    assert isinstance(also_whole, SetReturns)
    assert whole.returns.tobytes() == also_whole.returns.tobytes()
    assert whole.trial == also_whole.trial
