"""Fills, equity and round trips of a wallet as CSV."""

import csv
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dashboard.gateway.exports import EQUITY, FILLS, ROUND_TRIPS, read_rows
from dashboard.gateway.reading import snapshot

# What a spreadsheet would take for a formula (OWASP, "CSV Injection").
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@require_safe
def fills(request: HttpRequest, name: str) -> HttpResponse:
    """The newest fills of a wallet."""
    return _as_file(FILLS, name, "fills")


@require_safe
def equity(request: HttpRequest, name: str) -> HttpResponse:
    """The newest points of a wallet's equity and of buying and holding."""
    return _as_file(EQUITY, name, "equity")


@require_safe
def round_trips(request: HttpRequest, name: str) -> HttpResponse:
    """The newest round trips of a wallet."""
    return _as_file(ROUND_TRIPS, name, "round-trips")


def _as_file(query: str, name: str, what: str) -> HttpResponse:
    with snapshot():
        found = None if "\0" in name else read_rows(query, name)
    if found is None:
        raise Http404
    response = HttpResponse(to_csv(*found), content_type="text/csv; charset=utf-8")
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in name)
    response["Content-Disposition"] = f'attachment; filename="{safe}-{what}.csv"'
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
    if isinstance(value, str) and value.startswith(FORMULA_SIGNS):
        return f"'{value}"
    return "" if value is None else str(value)
