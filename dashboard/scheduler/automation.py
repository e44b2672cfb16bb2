"""Pages of Dagster's schedules, sensors and runs, and the forms to run, pause, resume and cancel them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.accounts.models import User
from dashboard.accounts.roles import Right, Role
from dashboard.core.live import live_page
from dashboard.gateway import automation as gateway
from dashboard.gateway.automation import Automation, DagsterRun, LastTick
from dashboard.gateway.dagster import DagsterDown, DagsterRefused
from dashboard.gateway.reading import snapshot
from dashboard.gateway.sources import next_tick, read_hosts
from dashboard.middleware import refusal
from dashboard.scheduler.models import DagsterRequest
from dashboard.scheduler.requests import (
    TITLES,
    Act,
    Outcome,
    ReasonForm,
    dagster_is_down,
    sent_before,
    submit,
)

SHOWN_RUNS, SHOWN_REQUESTS = 20, 8
RUN_ID_LETTERS = frozenset("0123456789abcdef-")
EFFECTS = {
    "run": gettext_lazy(
        "Launches at once what the next tick would ask for. What is stored already is not fetched again."
    ),
    "pause": gettext_lazy("It asks for nothing more until it is resumed. Runs in progress go on."),
    "resume": gettext_lazy(
        "It asks for runs again from now on; ticks that were missed while it was paused are not caught up."
    ),
    "cancel": gettext_lazy("The run ends; what it had written stays."),
    "again": gettext_lazy("Launches all steps once more, as a new run. What is stored already is not fetched again."),
}


@dataclass(frozen=True)
class AutomationLine:
    """A row of the page: newest and next tick, and the kinds of action that this person may request, with titles."""

    automation: Automation
    tick: LastTick | None
    next_at: datetime | None
    actions: list[tuple[str, Promise]]


def right_to(kind: str, *, trades: bool) -> Role | Right:
    """The role or right that an action needs. Stopping what trades is a halt, starting it is a resume."""
    if not trades:
        return Role.ANALYST
    return Right.HALT if kind in ("pause", "cancel") else Right.RESUME


@require_safe
@live_page
def automation(request: HttpRequest) -> HttpResponse:
    """All schedules and sensors, the runs in progress, and the newest requests of people."""
    automations, runs, down = _read_all()
    now = datetime.now(UTC)
    with snapshot():
        if down:
            automations = gateway.read_known_automation()
        ticks = gateway.read_last_ticks([item.name for item in automations])
        hosts = read_hosts()
    assert isinstance(request.user, User)
    may = request.user.may
    rows = [
        AutomationLine(
            item,
            ticks.get(item.name),
            next_tick(item.cron, now) if item.cron and item.is_running else None,
            []
            if down
            else [(kind, TITLES[kind]) for kind in _actions(item) if may(right_to(kind, trades=item.trades))],
        )
        for item in automations
    ]
    context = {
        "schedules": [row for row in rows if row.automation.kind == "schedule"],
        "sensors": [row for row in rows if row.automation.kind == "sensor"],
        "runs": runs,
        "hosts": hosts,
        "down": down,
        "requests": [
            (row, TITLES.get(row.kind, row.kind)) for row in DagsterRequest.objects.order_by("-id")[:SHOWN_REQUESTS]
        ],
    }
    return render(request, "scheduler/automation.html", context)


def _read_all() -> tuple[list[Automation], list[DagsterRun], str]:
    """Schedules and sensors, runs in progress, and the error if Dagster does not answer, else empty."""
    try:
        return gateway.read_automation(), gateway.read_unfinished_runs(SHOWN_RUNS), ""
    except (DagsterDown, DagsterRefused) as error:
        return [], [], str(error)


def _actions(item: Automation) -> list[str]:
    """The kinds of action possible now. A sensor cannot be run by hand: it evaluates every few seconds anyway."""
    run = ["run"] if item.kind == "schedule" else []
    return [*run, "pause" if item.is_running else "resume"]


@require_http_methods(["GET", "HEAD", "POST"])
def automation_act(request: HttpRequest, name: str, kind: str) -> HttpResponse:
    """Confirm, then run a schedule now, or pause or resume a schedule or sensor."""
    # Sent again, it finds changed what it has changed itself.
    if request.method == "POST" and (before := sent_before(request, kind, name)):
        return before
    try:
        found = next((item for item in gateway.read_automation() if item.name == name), None)
    except (DagsterDown, DagsterRefused) as error:
        return dagster_is_down(request, error)
    if found is None or (kind == "run" and found.kind == "sensor"):
        raise Http404
    if kind not in _actions(found):
        return _has_changed(request)
    return _confirmed(request, kind, name, right_to(kind, trades=found.trades), lambda tags: _act_on(found, kind, tags))


def _act_on(found: Automation, kind: str, tags: dict[str, str]) -> Outcome:
    if kind == "run":
        run_ids = gateway.launch_schedule(found, now=datetime.now(UTC), tags=tags)
        return Outcome("launched", tuple(run_ids))
    gateway.switch(found, on=kind == "resume")
    return Outcome("running" if kind == "resume" else "paused")


@require_safe
@live_page
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """A run in its present state in Dagster."""
    try:
        found = gateway.read_run(_checked(run_id))
    except DagsterDown as error:
        return dagster_is_down(request, error)
    if found is None:
        raise Http404
    user = request.user
    assert isinstance(user, User)
    kind = "again" if found.is_finished else "cancel"
    actions = [(kind, TITLES[kind])] if user.may(right_to(kind, trades=found.trades)) else []
    return render(request, "scheduler/run.html", {"run": found, "actions": actions})


@require_http_methods(["GET", "HEAD", "POST"])
def run_act(request: HttpRequest, run_id: str, kind: str) -> HttpResponse:
    """Confirm, then cancel a run or launch it once more."""
    # Sent again, it finds changed what it has changed itself.
    if request.method == "POST" and (before := sent_before(request, kind, run_id)):
        return before
    try:
        found = gateway.read_run(_checked(run_id))
    except DagsterDown as error:
        return dagster_is_down(request, error)
    if found is None:
        raise Http404
    if kind != ("again" if found.is_finished else "cancel"):
        return _has_changed(request)

    def act(tags: dict[str, str]) -> Outcome:
        if kind == "again":
            return Outcome("launched", (gateway.launch_again(run_id, tags=tags),))
        gateway.cancel_run(run_id)
        return Outcome("asked to end", (run_id,))

    return _confirmed(request, kind, run_id, right_to(kind, trades=found.trades), act)


def _has_changed(request: HttpRequest) -> HttpResponse:
    """The page for an action that is no longer possible, since another request or Dagster was faster; does nothing."""
    return render(request, "scheduler/down.html", {"has_changed": True}, status=409)


def _checked(run_id: str) -> str:
    if len(run_id) > 36 or not RUN_ID_LETTERS.issuperset(run_id):
        raise Http404
    return run_id


def _confirmed(request: HttpRequest, kind: str, target: str, needed: Role | Right, act: Act) -> HttpResponse:
    """The form that confirms an action, or, once it is sent, the page of the request."""
    if refused := refusal(request, needed):
        return refused
    form = ReasonForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            if page := submit(request, kind, target, form, act, arguments={}):
                return page
            status = 409
    context = {"form": form, "kind": kind, "title": TITLES[kind], "target": target, "what": EFFECTS[kind]}
    return render(request, "scheduler/ask.html", context, status=status)
