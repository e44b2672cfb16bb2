"""Which cards and panels a tear sheet has, in what order: names of a list, and nothing else that a file could say."""

import json
from dataclasses import dataclass
from typing import Any

from strades_pipelines.analysis.tearsheet.html_tables import GROUPS
from strades_pipelines.bad_input import BadInput

MOST_BYTES, MOST_NAMES = 10_000, 24
DEFLATED = "deflated_sharpe"
FIGURES = {name: figure for group in GROUPS.values() for name, figure in group.items()}
SHORT = {"trades": "Trades"}  # a card stands alone: no group says of what it is a count
TITLES = {
    "account": "Account",
    "months": "Returns by month, %",
    "statistics": "Statistics",
    "significance": "What it is worth",
    "drawdowns": "Deepest drawdowns",
    "profits": "Profit of each trade",
    "distribution": "Returns of the trades",
    "excursions": "Return against the worst on the way",
    "trades": "Trades",
}


@dataclass(frozen=True)
class Layout:
    """Names of cards (statistics, or the deflated Sharpe ratio) and of panels, in the order in which they stand."""

    cards: tuple[str, ...] = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", DEFLATED)
    panels: tuple[str, ...] = tuple(TITLES)


DEFAULT = Layout()


def card_of(name: str) -> tuple[str, str]:
    """Label and format of a card.

    Raises:
        KeyError: there is none of that name.
    """
    if name == DEFLATED:
        return "Deflated Sharpe", "{:.1%}"
    label, form = FIGURES[name]
    return SHORT.get(name, label), form


def title_of(panel: str) -> str:
    """The heading of a panel."""
    return TITLES[panel]


def parse_layout(body: bytes) -> Layout:
    """The layout of a file: `{"cards": [...], "panels": [...]}`.

    Raises:
        BadInput: it is none; one line with what was expected.
    """
    if len(body) > MOST_BYTES:
        raise BadInput(f"layout: expected at most {MOST_BYTES} bytes, was {len(body)}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInput("layout: expected JSON, was something else") from None
    if not isinstance(document, dict) or document.keys() != {"cards", "panels"}:
        raise BadInput("layout: expected an object with `cards` and `panels`, was another")
    return Layout(
        _names(document["cards"], "cards", {DEFLATED, *FIGURES}), _names(document["panels"], "panels", set(TITLES))
    )


def _names(found: Any, where: str, known: set[str]) -> tuple[str, ...]:
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_NAMES:
        raise BadInput(f"layout: {where}: expected a list of 1 to {MOST_NAMES} names, was another")
    for name in found:
        if not isinstance(name, str) or name not in known:
            raise BadInput(f"layout: {where}: expected some of {', '.join(sorted(known))}; was {str(name)[:40]!r}")
    if len(set(found)) != len(found):
        raise BadInput(f"layout: {where}: expected each name once")
    return tuple(found)
