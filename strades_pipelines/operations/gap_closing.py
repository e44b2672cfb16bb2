"""`strades gaps --fix`: the backfills that may close gaps, and of the others why none can."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.datamanager.gap_plan import (
    FIXABLE,
    FIXABLE_GAPS,
    NOBODY_HAS_IT,
    REASONS,
    FixableGap,
    SourceMonths,
    count_missing,
    plan_backfill,
)
from strades_pipelines.operations.backfilling import backfill
from strades_pipelines.operations.gaps import read_gaps
from strades_pipelines.operations.options import listing_ids
from strades_pipelines.partitions import Window

MOST_SERIES = 1_000_000
Connect = Callable[[], psycopg.Connection[Any]]
Filters = tuple[str | None, str | None, str | None]


def close_gaps(
    connect: Connect, filters: Filters, working: Collection[str], now: datetime, *, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Ask again for what is missing, work through what came, and compare the ledger with what it was.

    Idempotent: it asks for what no answer has covered; where there is nothing to ask for, nothing is launched.

    Args:
        filters: instrument, interval and cause, as of `read_gaps`.
        working: the names of the sources in use.

    Returns:
        `{"launched": [{"source", "from", "to", "missing"}], "closed", "open": [{"instrument", "interval", "cause",
        "missing", "reason"}], "failures"}`; `closed` counts the bars that are missing no more, `to` is exclusive.

    Raises:
        NoLedger, BadInput: as `read_gaps`.
    """
    with connect() as connection:
        before = read_gaps(connection, *filters)
        planned, orphans = plan_backfill(_fixable(connection, filters), working)
    failures = launch(planned, now, progress=progress) if planned else []
    with connect() as connection:
        after = read_gaps(connection, *filters) if planned else before
    return {
        "launched": [
            {"source": one.source, "from": one.start, "to": one.end, "missing": count_missing(one.gaps)}
            for one in planned
        ],
        "closed": sum(before["missing"].values()) - sum(after["missing"].values()),
        "open": still_open(after["gaps"], orphans),
        "failures": failures,
    }


def launch(planned: Sequence[SourceMonths], now: datetime, *, progress: Callable[[str], None]) -> list[str]:
    """Fetch the months of each source, then make records and clean tables of them; the failures, one line each."""
    failures: list[str] = []
    for one in planned:
        done = backfill([f"rawsources/{one.source}"], None, Window(one.start, one.end), now, progress=progress)
        failures += done["failures"]
    months = Window(min(one.start for one in planned), max(one.end for one in planned))
    for layer in ("records", "cleaned"):
        failures += backfill([], layer, months, now, progress=progress)["failures"]
    return failures


def still_open(gaps: Sequence[Mapping[str, Any]], orphans: Sequence[FixableGap]) -> list[dict[str, Any]]:
    """What is missing by instrument, interval and cause, with why; what was asked for and did not come, too."""
    unasked = {(f"{gap.venue}:{gap.symbol}", gap.interval) for gap in orphans}
    missing: dict[tuple[str, str, str], int] = defaultdict(int)
    for gap in gaps:
        missing[gap["instrument"], gap["interval"], gap["cause"]] += int(gap["missing"])
    return [
        {
            "instrument": instrument,
            "interval": interval,
            "cause": cause,
            "missing": count,
            "reason": _reason(cause, is_unasked=(instrument, interval) in unasked),
        }
        for (instrument, interval, cause), count in sorted(missing.items())
    ]


def _reason(cause: str, *, is_unasked: bool) -> str:
    if cause in FIXABLE:
        return NOBODY_HAS_IT if is_unasked else "its source was asked, and did not answer all of it; run it again"
    return REASONS.get(cause, "asking again would bring the same")


def _fixable(connection: psycopg.Connection[Any], filters: Filters) -> list[FixableGap]:
    instrument, interval, cause = filters
    asked = {
        "causes": [name for name in FIXABLE if cause in (None, name)],
        "listings": listing_ids(connection, instrument),
        "interval": interval,
        "most": MOST_SERIES,
    }
    return [FixableGap(*row) for row in connection.execute(FIXABLE_GAPS, asked)]
