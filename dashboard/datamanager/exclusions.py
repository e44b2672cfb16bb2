"""Leave a record out, with a reason, and undo that: requests like any other change of data."""

from typing import Any
from uuid import uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard.datamanager.answers import said_too_slow
from dashboard.datamanager.forms import MarkForm
from dashboard.datamanager.requests import leave_request, render_form
from dashboard.gateway import exclusions as gateway
from dashboard.gateway.reading import snapshot
from dashboard.gateway.row_queries import RowsRefused
from dashboard.gateway.rows import Row, RowsTooSlow, limit_time, read_row
from dashboard.gateway.tables import Table, read_table
from strades_pipelines.database.asof import REVISIONS

EXCLUDABLE = frozenset(name.partition(".")[2] for name in REVISIONS) - {"split_adjustments"}
EXCLUSION, RESTORATION = "exclusion", "restoration"
SHOWN_LETTERS = 300


@require_http_methods(["GET", "HEAD", "POST"])
def exclude(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for a record to be left out; the address has its key."""
    if name not in EXCLUDABLE:
        raise Http404
    with snapshot():
        table = read_table("records", name)
        assert table is not None, "the migrations make it"
        limit_time()
        try:
            row = read_row(table, request.GET.get("key", ""), letters=SHOWN_LETTERS)
        except RowsRefused:
            raise Http404 from None
        except RowsTooSlow:
            return said_too_slow()
    if row is None or row.key is None:
        raise Http404
    return _form(request, name, row.key, EXCLUSION, _("Leave a record out"), facts=_facts(table, row))


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for a record to count again."""
    if name not in EXCLUDABLE:
        raise Http404
    key = request.GET.get("key", "")
    with snapshot():
        found = gateway.read_exclusion(name, key)
    if found is None:
        raise Http404
    facts = [("key", found.key), ("excluded_from", found.excluded_from), ("reason", found.reason)]
    return _form(request, name, found.key, RESTORATION, _("Take a record in again"), facts=facts)


def _form(request: HttpRequest, name: str, key: str, kind: str, title: str, **more: Any) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = MarkForm(data, initial={"key": uuid4()}, table=name, record_key=key)
    if data is not None and form.is_valid():
        found = leave_request(request, form, kind, kind, None, f"{name}.json")
        if found is not None:
            return redirect("data_request", found.request_key)
    return render_form(request, form, title, table=f"records.{name}", mark=kind, **more)


def _facts(table: Table, row: Row) -> list[tuple[str, Any]]:
    return [(column.name, row.values[column.name]) for column in table.columns]
