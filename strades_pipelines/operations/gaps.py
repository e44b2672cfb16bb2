"""What is missing in the data, as the gap ledger says it: `cleaned.gaps`."""

from typing import Any

import psycopg

from strades_pipelines.operations.options import listing_ids

LEDGER = "cleaned.gaps"
QUERY = f"""
    SELECT l.venue || ':' || l.symbol AS instrument, g."interval", g.gap_start, g.gap_end, g.missing, g.cause
    FROM {LEDGER} AS g INNER JOIN records.listings AS l USING (listing_id)
    WHERE (%(listings)s::integer[] IS NULL OR g.listing_id = ANY(%(listings)s))
        AND (%(interval)s::text IS NULL OR g."interval" = %(interval)s)
        AND (%(cause)s::text IS NULL OR g.cause = %(cause)s)
    ORDER BY 1, 2, 3
"""


class NoLedger(RuntimeError):
    """The gap ledger was not made yet."""


def read_gaps(
    connection: psycopg.Connection[Any], instrument: str | None, interval: str | None, cause: str | None
) -> dict[str, Any]:
    """The gaps that fit, with the sum of what is missing by cause.

    Returns:
        `{"gaps": [{"instrument", "interval", "gap_start", "gap_end", "missing", "cause"}], "missing": {cause: n}}`;
        a gap is [gap_start, gap_end), UTC, `missing` how many bars it lacks.

    Raises:
        NoLedger: dbt has not made the ledger.
        BadInput: for an instrument that is not listed.
    """
    if connection.execute("SELECT to_regclass(%s)", [LEDGER]).fetchone() == (None,):
        raise NoLedger(f"{LEDGER} was not made yet; `strades run` makes it")
    asked = {"listings": listing_ids(connection, instrument), "interval": interval, "cause": cause}
    names = ("instrument", "interval", "gap_start", "gap_end", "missing", "cause")
    gaps = [dict(zip(names, row, strict=True)) for row in connection.execute(QUERY, asked)]
    missing: dict[str, int] = {}
    for gap in gaps:
        missing[gap["cause"]] = missing.get(gap["cause"], 0) + int(gap["missing"] or 0)
    return {"gaps": gaps, "missing": missing}
