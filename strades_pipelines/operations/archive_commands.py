"""`strades archive`: cold months out of the database and back, and what the store has."""

from datetime import date, datetime
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.cold_store import ColdMonth, cold_months, verify_month
from strades_pipelines.database.connection import connect
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES, MonthlyTable
from strades_pipelines.ingestion.archiving import archive_month, restore_month
from strades_pipelines.installation.install import prepare
from strades_pipelines.operations.output import print_result, say, table
from strades_pipelines.settings import settings

COLUMNS = "relation month row_count size path"


def run_archive(month: str | None, name: str | None, *, restore: bool, verify: bool, as_json: bool) -> None:
    """`strades archive`.

    Args:
        name: of `MONTHLY_TABLES` without its schema; all of them where None.
    """
    chosen = None if month is None else _month(month)
    tables = _tables(name)
    if restore and chosen is None:
        raise BadInput("--restore: expected a month, such as 2026-01")
    prepare()
    if chosen is not None and restore:
        _restore(tables, chosen, is_named=name is not None)
    elif chosen is not None:
        for monthly in tables:
            if archive_month(monthly, chosen, now=settings().now(), progress=say) is None:
                say(f"no {monthly.title} of {month} can go: there are none, or all were revised")
    months = _cold_months(tables)
    if verify:
        for each in months:
            verify_month(each, each.path)
    rows = [_row(each) for each in months]
    print_result({"months": rows, "verified": verify}, as_json, [table(COLUMNS, rows)])


def _restore(tables: list[MonthlyTable], month: date, *, is_named: bool) -> None:
    """Restore a month of these tables, or of those of which it is cold."""
    cold = {each.relation for each in _cold_months(tables) if each.month == month}
    for monthly in tables if is_named or not cold else [each for each in tables if each.name in cold]:
        say(f"{restore_month(monthly, month):,} {monthly.title} of {month:%Y-%m} are in the database again")


def _cold_months(tables: list[MonthlyTable]) -> list[ColdMonth]:
    with connect() as connection, connection.cursor() as cursor:
        return [month for monthly in tables for month in cold_months(cursor, monthly.name)]


def _tables(name: str | None) -> list[MonthlyTable]:
    found = [monthly for monthly in MONTHLY_TABLES.values() if name in (None, monthly.title)]
    if not found:
        titles = ", ".join(monthly.title for monthly in MONTHLY_TABLES.values())
        raise BadInput(f"--table: expected one of {titles}, was {str(name)[:20]!r}")
    return found


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
