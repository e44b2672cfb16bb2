"""`strades discrepancies`: prices that cannot be meant, and what a person says of the repairs that are proposed."""

import sys
from typing import Any

import psycopg
import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.command_log import current_user
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.installation.install import prepare
from strades_pipelines.operations.options import listing_ids
from strades_pipelines.operations.output import print_result, table
from strades_pipelines.settings import settings

STATES = ("open", "accepted", "dismissed", "gone")
COLUMNS = (
    "discrepancy_id",
    "instrument",
    "interval",
    "from_time",
    "to_time",
    "bars",
    "cause",
    "cells",
    "factor",
    "stored_close",
    "expected_close",
    "fetch_id",
    "reference_fetch_id",
    "found_at",
    "repair",
    "reason",
    "state",
    "decided_by",
    "decided_at",
    "outcome",
)
QUERY = """
    SELECT d.discrepancy_id, l.venue || ':' || l.symbol, d."interval", d.from_time, d.to_time, d.bars, d.cause, d.cells,
        d.factor, d.stored_close, d.expected_close, d.fetch_id, d.reference_fetch_id, d.found_at, d.repair, d.reason,
        d.state, d.decided_by, d.decided_at, d.outcome
    FROM records.discrepancy_states AS d INNER JOIN records.listings AS l USING (listing_id)
    WHERE (%(listings)s::integer[] IS NULL OR d.listing_id = ANY(%(listings)s))
        AND (%(state)s::text IS NULL OR d.state = %(state)s)
    ORDER BY d.discrepancy_id
"""
# The first verdict counts; one that is gone was declined when it went.
DECIDE = """
    INSERT INTO ops.data_verdicts (request_id, is_accepted, decided_by, decided_at)
    SELECT request_id, %(accept)s, %(by)s, %(now)s FROM records.discrepancies WHERE discrepancy_id = %(id)s
    ON CONFLICT (request_id) DO NOTHING RETURNING request_id
"""


def run_discrepancies(
    instrument: str | None, state: str, accept: int | None, dismiss: int | None, *, as_json: bool
) -> None:
    """`strades discrepancies`; ends with 1 when an accepted repair could not be carried out."""
    if state not in (*STATES, "all"):
        raise BadInput(f"--state: expected one of {', '.join(STATES)}, all; was {state[:40]!r}")
    if accept is not None and dismiss is not None:
        raise BadInput("expected --accept or --dismiss, found both")
    prepare()
    chosen = dismiss if accept is None else accept
    with connect() as connection:
        if chosen is not None:
            request_id = decide(connection, chosen, accept=accept is not None, by=current_user())
    outcome = None
    if accept is not None:
        sources = load_sources(settings().sources)
        outcome = carry_out_requests(None, sources, clock=settings().now, only=request_id).get(request_id)
    with connect() as connection:
        rows = read_discrepancies(connection, instrument, None if state == "all" else state)
    shown = table("discrepancy_id instrument interval from_time bars cause factor fetch_id state reason", rows)
    print_result({"discrepancies": rows, "outcome": outcome}, as_json, [shown])
    if outcome is not None:
        print(f"strades: discrepancy {accept}: {outcome}", file=sys.stderr)
        raise typer.Exit(0 if outcome.startswith("done") else 1)


def decide(connection: psycopg.Connection[Any], discrepancy_id: int, *, accept: bool, by: str) -> int:
    """Accept or dismiss a proposed repair; the id of its request. Commits.

    Raises:
        BadInput: there is no such discrepancy, or it is settled.
    """
    verdict = {"id": discrepancy_id, "accept": accept, "by": by, "now": settings().now()}
    row = connection.execute(DECIDE, verdict).fetchone()
    if row is None:
        raise BadInput(
            f"expected the id of an open discrepancy, was {discrepancy_id}; `strades discrepancies --state all` has all"
        )
    connection.commit()
    return int(row[0])


def read_discrepancies(
    connection: psycopg.Connection[Any], instrument: str | None, state: str | None
) -> list[dict[str, Any]]:
    """Discrepancies, oldest first, with the columns of COLUMNS; times UTC.

    Args:
        state: of STATES; None is every one.

    Raises:
        BadInput: for an instrument that is not listed.
    """
    asked = {"listings": listing_ids(connection, instrument), "state": state}
    return [dict(zip(COLUMNS, row, strict=True)) for row in connection.execute(QUERY, asked)]
