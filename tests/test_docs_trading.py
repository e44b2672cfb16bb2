"""The page on trading has the limits as they are in the table, and every code that a refusal may have."""

import re
from pathlib import Path

from strades_pipelines.market.limits import LIMITS
from strades_pipelines.settings import PROJECT
from strades_pipelines.strategy.orders import OUTCOMES

PAGE = (PROJECT / "docs" / "trading.md").read_text()
PACKAGE = PROJECT / "strades_pipelines"
# How orders end, which is no refusal of a decision, and what is not refused.
ENDS = frozenset(
    {"accepted", "insufficient_cash", "day_over", "immediate_or_cancel", "fill_or_kill", "asked_for", "delisted"}
    | {"auction_over", "by_venue"}
)


def codes() -> set[str]:
    """The codes in the source: of the exact gate, of who makes intents, and of the engine."""
    files: list[Path] = [PACKAGE / "market" / "risk.py", PACKAGE / "brokerage" / "intents.py"]
    found = {
        code
        for file in files
        for code in re.findall(r'(?:GateError|Refusal)\((?:\w+\.\w+, )?"(\w+)"', file.read_text())
    }
    found |= {f"wallet_{state}" for state in ("halted", "reducing", "retiring", "retired")}
    found |= {f"strategy_{state}" for state in ("halted", "reducing", "retired")}
    return found | {*OUTCOMES} - {*ENDS}


def test_the_table_of_limits_is_that_of_the_code() -> None:
    rows = [f"| `{limit.name}` | {limit.measures} | {limit.unit} | `{limit.code}` |" for limit in LIMITS]
    assert "\n".join(rows) in PAGE


def test_every_code_of_a_refusal_is_told() -> None:
    assert len(codes()) > 30
    assert [code for code in sorted(codes()) if f"`{code}`" not in PAGE] == []
