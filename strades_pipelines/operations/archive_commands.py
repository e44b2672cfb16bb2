"""`strades archive`: cold months out of the database and back, and what the store has."""

from datetime import date, datetime
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.cold_store import ColdMonth, cold_months, verify_month
from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.archiving import TABLE, archive_month, restore_month
from strades_pipelines.installation.install import prepare
from strades_pipelines.operations.output import print_result, say, table
from strades_pipelines.settings import settings

COLUMNS = "relation month row_count size path"


def run_archive(month: str | None, *, restore: bool, verify: bool, as_json: bool) -> None:
    """`strades archive`."""
    chosen = None if month is None else _month(month)
    if restore and chosen is None:
        raise BadInput("--restore: expected a month, such as 2026-01")
    prepare()
    if chosen is not None and restore:
        say(f"{restore_month(chosen):,} trades of {month} are in the database again")
    elif chosen is not None and archive_month(chosen, now=settings().now(), progress=say) is None:
        say(f"no trades of {month} can go: there are none, or all were revised")
    with connect() as connection, connection.cursor() as cursor:
        months = cold_months(cursor, TABLE)
    if verify:
        for each in months:
            verify_month(each, each.path)
    rows = [_row(each) for each in months]
    print_result({"months": rows, "verified": verify}, as_json, [table(COLUMNS, rows)])


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        raise BadInput(f"MONTH: expected one such as 2026-01, was {text[:20]!r}") from None


def _row(month: ColdMonth) -> dict[str, Any]:
    return {
        "relation": month.relation,
        "month": f"{month.month:%Y-%m}",
        "row_count": month.row_count,
        "size": month.size,
        "sha256": month.sha256,
        "path": month.path,
    }
