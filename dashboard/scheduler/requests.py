"""What people ask of Dagster: a form with a key, a row before Dagster is asked, its outcome after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from dashboard.accounts.models import User
from dashboard.gateway.automation import (
    PERSON_TAG,
    REQUEST_TAG,
    DagsterRun,
    read_backfill_status,
    read_runs_of_request,
)
from dashboard.gateway.dagster import DagsterDown, DagsterRefused
from dashboard.gateway.reading import parse_whole
from dashboard.scheduler.models import DONE, FAILED, UNKNOWN, WAITS, DagsterRequest
from strades_pipelines.database.crash import crash_point

SHOWN_REQUESTS, SHOWN_RUNS = 25, 20
REFRESH_SECONDS = 5
LARGEST_ID = 2**63 - 1
TITLES = {
    "run": gettext_lazy("Run now"),
    "pause": gettext_lazy("Pause"),
    "resume": gettext_lazy("Resume"),
    "cancel": gettext_lazy("Cancel the run"),
    "again": gettext_lazy("Run again"),
    "move": gettext_lazy("Change the time"),
    "backfill": gettext_lazy("Fill gaps"),
}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request."""

    text: str
    run_ids: tuple[str, ...] = ()
    backfill_id: str = ""


Act = Callable[[dict[str, str]], Outcome]


class ReasonForm(forms.Form):
    """The reason of a request. The key is unique, so sending the form twice is one request."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=300,
        help_text=gettext_lazy("Kept with your name and the time; everybody sees it."),
    )

    def __init__(self, data: object = None, **options: Any) -> None:
        super().__init__(data, **({"initial": {}} | options))
        self.initial |= {"key": uuid4()}
        self.fields["reason"].widget.attrs |= {"autocomplete": "off"}


def person(request: HttpRequest) -> str:
    """The person of the request, as stored in `requested_by`."""
    assert isinstance(request.user, User)
    return f"dashboard:{request.user.pseudo}"


def sent_before(request: HttpRequest, kind: str, target: str) -> HttpResponse | None:
    """The page of the request if this form was sent before, else None."""
    try:
        key = UUID(request.POST.get("key", ""))
    except ValueError:
        return None
    found = DagsterRequest.objects.filter(key=key, kind=kind, target=target, requested_by=person(request))
    return redirect("automation_request", key) if found.exists() else None


def submit(
    request: HttpRequest, kind: str, target: str, form: ReasonForm, act: Act, *, arguments: Mapping[str, Any]
) -> HttpResponse | None:
    """Carry a request out once and return its page; None, with an error in the form, if the key belongs to another.

    The row is committed before Dagster is called, so that a form sent twice at the same time is one launch too.
    """
    key, reason = form.cleaned_data["key"], form.cleaned_data["reason"]
    row, is_new = DagsterRequest.objects.get_or_create(
        key=key,
        defaults={
            "kind": kind,
            "target": target,
            "arguments": dict(arguments),
            "reason": reason,
            "requested_by": person(request),
        },
    )
    if is_new:
        crash_point("dashboard.request_kept")
        carry_out(row, act)
    elif (row.kind, row.target, row.requested_by) != (kind, target, person(request)):
        form.add_error(None, _("This form was used for something else before; open it again."))
        return None
    return redirect("automation_request", key)


def carry_out(row: DagsterRequest, act: Act) -> None:
    """Call Dagster, and record the outcome."""
    tags = {REQUEST_TAG: str(row.key), PERSON_TAG: row.requested_by}
    try:
        outcome, row.state = act(tags), DONE
    except DagsterRefused as error:
        outcome, row.state = Outcome(str(error)), FAILED
    except DagsterDown as error:
        outcome, row.state = Outcome(f"Dagster: {error}"), UNKNOWN if error.is_unknown else FAILED
    row.outcome, row.run_ids, row.backfill_id = outcome.text[:400], list(outcome.run_ids), outcome.backfill_id
    row.finished_at = timezone.now()
    row.save(update_fields=["state", "outcome", "run_ids", "backfill_id", "finished_at"])


def dagster_is_down(request: HttpRequest, error: Exception) -> HttpResponse:
    """The page for an action while Dagster does not answer; nothing was done."""
    return render(request, "scheduler/down.html", {"down": str(error)}, status=503)


@require_safe
def request_page(request: HttpRequest, key: UUID) -> HttpResponse:
    """The outcome of a request, with the present state of its runs in Dagster."""
    row = get_object_or_404(DagsterRequest, key=key)
    runs: list[DagsterRun] = []
    backfill, down = None, ""
    # The others launch nothing.
    if row.state != FAILED and row.kind not in ("pause", "resume", "cancel"):
        try:
            runs = read_runs_of_request(str(row.key), SHOWN_RUNS)
            backfill = read_backfill_status(row.backfill_id) if row.backfill_id else None
        except (DagsterDown, DagsterRefused) as error:
            down = str(error)
    context = {"row": row, "title": TITLES.get(row.kind, row.kind), "runs": runs, "backfill": backfill, "down": down}
    response = render(request, "scheduler/request.html", context)
    if (row.state == WAITS and not row.is_lost) or any(not run.is_finished for run in runs):
        response["Refresh"] = str(REFRESH_SECONDS)
    return response


@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """Requests of all people, newest first, page by page."""
    text = request.GET.get("before", "")
    before = parse_whole(text, LARGEST_ID)
    if text and before is None:
        raise Http404
    found = DagsterRequest.objects.order_by("-id")
    rows = list((found if before is None else found.filter(id__lt=before))[: SHOWN_REQUESTS + 1])
    context = {
        "rows": [(row, TITLES.get(row.kind, row.kind)) for row in rows[:SHOWN_REQUESTS]],
        "older": rows[SHOWN_REQUESTS - 1].pk if len(rows) > SHOWN_REQUESTS else None,
        "before": before,
    }
    return render(request, "scheduler/requests.html", context)
