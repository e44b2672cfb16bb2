"""Create and correct: forms that leave a request, the list of requests, and the page on which an admin answers one.

The dashboard parses nothing and writes no record: `strades up` takes in what an admin accepted, bytes first.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import NON_FIELD_ERRORS
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.datamanager.answers import said_too_slow
from dashboard.datamanager.correction_forms import ActionForm, ArticleForm, ratio_fields
from dashboard.datamanager.forms import CandleForm, FileForm, ObservationForm, RequestForm
from dashboard.gateway import data_requests as gateway
from dashboard.gateway.discrepancies import read_open_discrepancies
from dashboard.gateway.exclusions import read_exclusions
from dashboard.gateway.markets import read_market, read_share_ratio
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.gateway.records import read_article_record
from dashboard.gateway.row_queries import RowsRefused
from dashboard.gateway.rows import RowsTooSlow, limit_time, read_row
from dashboard.gateway.tables import read_table
from strades_pipelines.datamanager.protocols import protocol_names
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings

SHOWN_REQUESTS = 25
LARGEST_ID = 2**63 - 1
REFRESH_SECONDS = 3
MANUAL = "manual"
PRICES = ("open", "high", "low", "close")
CARRIED_OVER = ("interval", *PRICES, "volume", "quote_volume", "trade_count")
TABLES = {"candle": "candles", "observation": "observations", "action": "corporate_actions", "article": "articles"}
CORRECTED_ONLY = ("action", "article")  # nobody types in a new one


@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """Requests, newest first, page by page; beside the first of them discrepancies and what is left out now."""
    before, marked_before = _cursor(request, "before"), _cursor(request, "marked_before")
    found_before = _cursor(request, "found_before")
    with snapshot():
        rows = gateway.read_requests(before=before, most=SHOWN_REQUESTS + 1)
        left_out = [] if before else read_exclusions(before=marked_before, most=SHOWN_REQUESTS + 1)
        found = [] if before else read_open_discrepancies(before=found_before, most=SHOWN_REQUESTS + 1)
    context = {
        "discrepancies": found[:SHOWN_REQUESTS],
        "older_findings": found[SHOWN_REQUESTS - 1].discrepancy_id if len(found) > SHOWN_REQUESTS else None,
        "found_before": found_before,
        "left_out": left_out[:SHOWN_REQUESTS],
        "older_marks": left_out[SHOWN_REQUESTS - 1].exclusion_id if len(left_out) > SHOWN_REQUESTS else None,
        "marked_before": marked_before,
        "rows": rows[:SHOWN_REQUESTS],
        "older": rows[SHOWN_REQUESTS - 1].request_id if len(rows) > SHOWN_REQUESTS else None,
        "before": before,
    }
    return render(request, "datamanager/requests.html", context)


def _cursor(request: HttpRequest, name: str) -> int | None:
    asked = request.GET.get(name, "")
    found = parse_whole(asked, LARGEST_ID)
    if asked and found is None:
        raise Http404
    return found


@require_safe
def data_request(request: HttpRequest, key: UUID) -> HttpResponse:
    """One request: its bytes as text, the verdict, the outcome; the page reloads itself while the request waits."""
    with snapshot():
        found = gateway.read_request(key)
        if found is None:
            raise Http404
        body = gateway.read_request_body(found.request_id)
    is_cut = found.size > gateway.SHOWN_BYTES
    context = {"request_": found, "body": body, "is_cut": is_cut, "shown_bytes": gateway.SHOWN_BYTES}
    response = render(request, "datamanager/request.html", context)
    if found.state == "waits":
        response["Refresh"] = str(REFRESH_SECONDS)
    return response


@require_safe
def download(request: HttpRequest, key: UUID) -> HttpResponse:
    """The proposed bytes as a file to save, for whoever answers: a browser never opens them as a page of ours."""
    found = gateway.read_request_bytes(key)
    if found is None or not found.body:
        raise Http404
    response = HttpResponse(bytes(found.body), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="request-{found.request_id}.bin"'
    return response


@require_POST
def answer(request: HttpRequest, key: UUID) -> HttpResponse:
    """Accept or decline a request."""
    with snapshot():
        found = gateway.read_request(key)
    verdict = request.POST.get("verdict")
    if found is None or verdict not in ("accept", "decline"):
        raise Http404
    gateway.answer(key, accept=verdict == "accept", by=_name(request), at=settings().now())
    return redirect("data_request", key)


@require_http_methods(["GET", "HEAD", "POST"])
def file(request: HttpRequest) -> HttpResponse:
    """Ask for a file to be taken in."""
    sources = load_sources(settings().sources).websites
    choices = {"protocols": protocol_names(), "sources": sorted(website.name for website in sources)}
    posted = request.method == "POST"
    form = FileForm(
        request.POST if posted else None,
        request.FILES if posted else None,
        initial={"key": uuid4()},
        **choices,
    )
    if posted and form.is_valid():
        given = form.cleaned_data
        found = leave_request(request, form, "file", given["protocol"], given["source"] or None, given["file"].name)
        if found is not None:
            return redirect("data_request", found.request_key)
    return render_form(request, form, _("Take in a file"), is_file=True)


@require_http_methods(["GET", "HEAD", "POST"])
def record(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask for a record to be written by hand; with the key of a stored one, for that to be corrected."""
    if kind not in TABLES:
        raise Http404
    key = request.GET.get("key", "")
    if kind in CORRECTED_ONLY and not key:
        raise Http404
    try:
        stored = _stored(kind, key) if key else {}
    except RowsTooSlow:
        return said_too_slow()
    form = _record_form(request, kind, {"key": uuid4(), **stored})
    if key:
        form.fix()
    if request.method == "POST" and form.is_valid():
        name = f"{kind}-{form.cleaned_data['key']}.json"
        source = stored["article"].source if kind == "article" else MANUAL
        found = leave_request(request, form, "correction" if key else "record", form.protocol_name, source, name)
        if found is not None:
            return redirect("data_request", found.request_key)
    titles = {
        "candle": _("A bar"),
        "observation": _("A value of a series"),
        "action": _("A dividend or split"),
        "article": _("An article"),
    }
    return render_form(request, form, titles[kind], stored=stored)


def _record_form(request: HttpRequest, kind: str, initial: dict[str, Any]) -> RequestForm:
    data = request.POST if request.method == "POST" else None
    if kind == "candle":
        return CandleForm(data, initial=initial)
    if kind == "action":
        return ActionForm(data, initial=initial, stored=initial["row"])
    if kind == "article":
        return ArticleForm(data, initial=initial, stored=initial["article"])
    return ObservationForm(data, initial=initial, today=settings().now().astimezone(UTC).date())


def render_form(request: HttpRequest, form: RequestForm, title: str, **more: Any) -> HttpResponse:
    """The page of a form; 409 where its key was used for something else."""
    is_conflict = set(form.errors) == {NON_FIELD_ERRORS}  # every field is right, the key is another form's
    status = 200 if not form.is_bound else 409 if is_conflict else 400
    return render(request, "datamanager/ask.html", {"form": form, "title": title, **more}, status=status)


def leave_request(
    request: HttpRequest, form: RequestForm, kind: str, protocol: str, source: str | None, file_name: str
) -> gateway.DataRequest | None:
    """Leave the request; None, with a word in the form, where its key was used for something else."""
    at, by = settings().now(), _name(request)
    found = gateway.ask(
        kind,
        key=form.cleaned_data["key"],
        by=by,
        at=at,
        reason=form.cleaned_data["reason"],
        protocol=protocol,
        source=source,
        given=form.given(),
        file_name=file_name,
        body=lambda asked_at: form.body(by=by, at=asked_at),
    )
    if found is None:
        form.add_error(None, _("This form was used for something else before; open it again."))
    return found


def _name(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return f"dashboard:{request.user.pseudo}"


def _stored(kind: str, key: str) -> dict[str, Any]:
    """A stored record as the first values of a form.

    Raises:
        Http404: there is none of that key.
        RowsTooSlow: it would take too long.
    """
    with snapshot():
        table = read_table("records", TABLES[kind])
        assert table is not None, "the migrations make it"
        limit_time()
        try:
            row = read_row(table, key, letters=1_000)
        except RowsRefused:
            raise Http404 from None
        if row is None:
            raise Http404
        values = row.values
        if kind == "article":
            article = read_article_record(values["source"], values["article_id"])
            return {"article": article, "title": article.title, "summary": article.summary} if article else {}
        if kind == "observation":
            about: datetime = values["event_time"]
            return {"event_time": about.date(), **{name: values[name] for name in ("series", "unit", "value")}}
        market = read_market(values["listing_id"], has_gaps=False)
        about = values["open_time" if kind == "candle" else "knowledge_time"]
        share_ratio = read_share_ratio(values["listing_id"], values["fetch_id"], about)
    if market is None:
        raise Http404
    values = in_shares_of_now(values, share_ratio) | {"share_ratio": share_ratio}
    if kind == "action":
        listing = {name: getattr(market, name) for name in ("venue", "symbol", "calendar", "currency")}
        stored = values | {"action_currency": values["currency"]} | listing
        shares = {} if values["ratio"] is None else ratio_fields(values["ratio"])
        return {"row": stored, "amount": values["amount"], "share_ratio": share_ratio, **shares}
    return {
        "venue": market.venue,
        "symbol": market.symbol,
        "calendar": market.calendar,
        "open_time": about.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "share_ratio": share_ratio,
        **{name: values[name] for name in CARRIED_OVER},
    }


def in_shares_of_now(values: dict[str, Any], ratio: float) -> dict[str, Any]:
    """A row in the shares of now, as clean tables have it: what is typed in today is read in those."""
    if ratio == 1:
        return values
    changed = {name: values[name] / ratio for name in (*PRICES, "amount") if values.get(name) is not None}
    if values.get("volume") is not None:
        changed["volume"] = values["volume"] * ratio
    return values | changed


def correction_kind(schema: str, name: str) -> str | None:
    """The form that corrects rows of a table, or None where nobody corrects them by hand."""
    return next((kind for kind, table in TABLES.items() if (schema, name) == ("records", table)), None)
