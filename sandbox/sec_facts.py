"""EDGAR's facts of a company, in their shape, over synthetic figures: `data.sec.gov/api/xbrl/companyfacts/CIK<10
digits>.json`.

Each report of `sandbox.filing_calendar` states four concepts for its period and for that of a year before, as real
ones do; a report of the year states the whole year and no fourth quarter. One in eight of the older figures is restated
by one percent. All are invented, and the document says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sandbox.draws import draw
from sandbox.filing_calendar import CIKS, NEW_YORK, QUARTER_ENDS, Filing, accession
from sandbox.stocks import SYMBOLS

SHARES = 1_000_000_000
RESTATED = 8  # one in so many figures of a year before


@dataclass(frozen=True)
class Concept:
    """What a report states: where its facts are, and whether they are of a period or of its last day."""

    taxonomy: str
    name: str
    unit: str
    of_a_period: bool


CONCEPTS = (
    Concept("dei", "EntityCommonStockSharesOutstanding", "shares", of_a_period=False),
    Concept("us-gaap", "Assets", "USD", of_a_period=False),
    Concept("us-gaap", "NetIncomeLoss", "USD", of_a_period=True),
    Concept("us-gaap", "EarningsPerShareDiluted", "USD/shares", of_a_period=True),
)


def company_facts(seed: int, cik: str, known: list[Filing]) -> dict[str, object]:
    """EDGAR's document of a company's facts.

    Args:
        known: all that was filed by now, oldest first.
    """
    facts: dict[str, dict[str, object]] = {}
    for concept in CONCEPTS:
        rows = [
            row
            for place, filing in enumerate(known, 1)
            if filing.form in ("10-K", "10-Q")
            for row in _facts(seed, cik, concept, filing, accession(cik, filing, place))
        ]
        described = {"label": f"{concept.name} (synthetic)", "description": "Synthetic", "units": {concept.unit: rows}}
        facts.setdefault(concept.taxonomy, {})[concept.name] = described
    name = f"{SYMBOLS[CIKS[cik]][0]} (synthetic facts, Strades sandbox)"
    return {"cik": int(cik), "entityName": name, "facts": facts}


def _facts(seed: int, cik: str, concept: Concept, filing: Filing, number: str) -> Iterator[dict[str, object]]:
    """The facts of a concept in one report: of a year before, and of its own period."""
    filed = filing.accepted.astimezone(NEW_YORK).date()
    own = filing.period_end
    of_report = {"accn": number, "fy": own.year, "fp": "FY" if filing.form == "10-K" else f"Q{own.month // 3}"}
    for end in (date(own.year - 1, own.month, own.day), own):
        start = _first_day(end, whole_year=filing.form == "10-K")
        value = figure(seed, cik, concept, start, end)
        if end != own and draw(seed, "restated", cik, concept.name, end) % RESTATED == 0:
            value = round(value * 1.01, 2) if concept.unit == "USD/shares" else value * 101 // 100
        period = {"start": f"{start}"} if concept.of_a_period else {}
        yield period | {"end": f"{end}", "val": value} | of_report | {"form": filing.form, "filed": f"{filed}"}


def figure(seed: int, cik: str, concept: Concept, start: date, end: date) -> float:
    """What is stated first for a period: whole dollars or shares, cents of a dollar a share."""
    if concept.name == "EntityCommonStockSharesOutstanding":
        return SHARES + draw(seed, cik, concept.name, end) % 1_000_000
    if concept.name == "Assets":
        return 10_000_000_000 + draw(seed, cik, concept.name, end) % 1_000_000_000
    income = sum(
        500_000_000 + draw(seed, cik, "income", date(end.year, month, day)) % 100_000_000
        for month, day in QUARTER_ENDS.values()
        if start <= date(end.year, month, day) <= end
    )
    return round(income / SHARES, 2) if concept.unit == "USD/shares" else income


def _first_day(end: date, *, whole_year: bool) -> date:
    return date(end.year, 1 if whole_year else end.month - 2, 1)
