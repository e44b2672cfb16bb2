"""Fills, equity, round trips, returns and slippage of a wallet as CSV."""

import csv
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dashboard.datamanager.answers import said_too_slow, too_many_exports
from dashboard.gateway import rows as gateway
from dashboard.gateway.exports import EQUITY, FILLS, RETURNS, ROUND_TRIPS, SLIPPAGE, query_file, read_rows, wallet_query
from dashboard.gateway.reading import snapshot
from strades_pipelines.settings import settings

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "sql": "text/plain; charset=utf-8",
    "json": "application/json",
}
# Where a spreadsheet would begin a formula (OWASP, "CSV Injection"): in front of a text, and behind what it may take
# for the end of a cell.
FORMULA = re.compile("^(?=[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20])|(?<=[;\t\r\n])(?=[-=+@\uff1d\uff0b\uff0d\uff20])")


@require_safe
def fills(request: HttpRequest, name: str) -> HttpResponse:
    """The newest fills of a wallet."""
    return _as_file(request, FILLS, name, "fills")


@require_safe
def equity(request: HttpRequest, name: str) -> HttpResponse:
    """The newest points of a wallet's equity and of buying and holding."""
    return _as_file(request, EQUITY, name, "equity")


@require_safe
def round_trips(request: HttpRequest, name: str) -> HttpResponse:
    """The newest round trips of a wallet."""
    return _as_file(request, ROUND_TRIPS, name, "round-trips")


@require_safe
def returns(request: HttpRequest, name: str) -> HttpResponse:
    """The sessions of a wallet with their returns and the band of its growth."""
    return _as_file(request, RETURNS, name, "returns")


@require_safe
def slippage(request: HttpRequest, name: str) -> HttpResponse:
    """What the newest fills of a wallet cost beyond the price that was known."""
    return _as_file(request, SLIPPAGE, name, "slippage")


def _as_file(request: HttpRequest, query: str, name: str, what: str) -> HttpResponse:
    """The rows as CSV; with `?query` in the address the query behind them. The header Strades-As-Of is on both."""
    if "\0" in name:
        raise Http404
    as_of = settings().now()
    try:
        with gateway.export_slot(), snapshot():
            gateway.limit_time(gateway.EXPORT_SECONDS)
            found = read_rows(query, name)
            if found is None:
                raise Http404
            sql = query_file(wallet_query(query, name), as_of=as_of)
    except gateway.RowsTooSlow:
        return said_too_slow(gateway.EXPORT_SECONDS)
    except gateway.TooManyExports:
        return too_many_exports()
    # The name goes into a header, and becomes that of a file.
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in name)
    is_query = "query" in request.GET
    return file_response(sql if is_query else to_csv(*found), f"{safe}-{what}", "sql" if is_query else "csv", as_of)


def file_response(content: str | bytes, name: str, kind: str, as_of: datetime) -> HttpResponse:
    """A file to save: `name`.`kind`, which says as of when its rows were (header Strades-As-Of, UTC)."""
    response = HttpResponse(content, content_type=CONTENT_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Strades-As-Of"] = as_of.isoformat()
    return response


def to_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV: exact figures, times in UTC by ISO 8601, and no text that a spreadsheet would carry out."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return FORMULA.sub("'", value)
    return "" if value is None else str(value)
