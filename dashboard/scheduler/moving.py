"""Give a schedule other times: a row that the code location reads; the old rows stay."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from dashboard.gateway import automation as gateway
from dashboard.gateway.automation import Automation
from dashboard.gateway.dagster import DagsterDown, DagsterRefused
from dashboard.gateway.moved_schedules import read_override_history, write_override
from dashboard.gateway.reading import snapshot
from dashboard.scheduler.requests import (
    Act,
    Outcome,
    ReasonForm,
    dagster_is_down,
    person,
    sent_before,
    submit,
)
from strades_pipelines.datamanager.cron import cron_problem, ticks

SHOWN_TICKS = 5
LOOKED_AHEAD = timedelta(days=62)


class CronForm(forms.Form):
    """New times, to be looked at before they are given."""

    cron = forms.CharField(
        label=gettext_lazy("Times (cron, UTC)"),
        max_length=100,
        help_text=gettext_lazy("Minute, hour, day of month, month, day of week (0 is Sunday): 30 21 * * 1-5."),
    )

    def clean_cron(self) -> str:
        """Refuse what is no cron, and say why."""
        cron = " ".join(str(self.cleaned_data["cron"]).split())
        if problem := cron_problem(cron):
            raise ValidationError(_("Expected %(problem)s."), params={"problem": problem})
        return cron


class MoveForm(ReasonForm):
    """The same times, with a reason."""

    cron = forms.CharField(widget=forms.HiddenInput, max_length=100)
    clean_cron = CronForm.clean_cron


def next_ticks(cron: str, now: datetime) -> list[datetime]:
    """The next instants (UTC) at which a checked cron fires, within two months."""
    return list(islice(sorted(islice(ticks(cron, now, now + LOOKED_AHEAD), 1500)), SHOWN_TICKS))


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for new times, show when they fire, give them."""
    if request.method == "POST" and (before := sent_before(request, "move", name)):
        return before
    try:
        found = next((one for one in gateway.read_automation() if one.name == name and one.cron), None)
    except (DagsterDown, DagsterRefused) as error:
        return dagster_is_down(request, error)
    if found is None:
        raise Http404
    move_form, status = None, 200
    if request.method == "POST":
        move_form, status = MoveForm(request.POST), 400
        if move_form.is_valid():
            cron = move_form.cleaned_data["cron"]
            wanted = {"cron": cron, "before": found.cron}
            act = _mover(found, cron, by=person(request), form=move_form)
            if page := submit(request, "move", name, move_form, act, arguments=wanted):
                return page
            status = 409
    given = request.POST if request.method == "POST" else request.GET
    cron_form = CronForm(given if "cron" in given else None, initial={"cron": found.cron})
    chosen = cron_form.cleaned_data["cron"] if cron_form.is_bound and cron_form.is_valid() else None
    if cron_form.is_bound and chosen is None:
        status = 400
    with snapshot():
        history = read_override_history(name)
    context = {
        "one": found,
        "cron_form": cron_form,
        "chosen": chosen,
        "is_own": chosen == found.own_cron,
        "ticks": next_ticks(chosen, datetime.now(UTC)) if chosen else [],
        "form": move_form or (MoveForm(initial={"cron": chosen}) if chosen else None),
        "history": history,
    }
    return render(request, "scheduler/move.html", context, status=status)


def _mover(found: Automation, cron: str, *, by: str, form: MoveForm) -> Act:
    key, reason = str(form.cleaned_data["key"]), form.cleaned_data["reason"]

    def act(tags: dict[str, str]) -> Outcome:
        if not write_override(found.name, cron, is_own=cron == found.own_cron, by=by, reason=reason, key=key):
            raise DagsterRefused("this form gave other times before")
        try:
            gateway.reload_location()
            run_id = gateway.launch_ops(tags)
        except (DagsterDown, DagsterRefused) as error:
            # They are in force already: that Dagster does not answer takes nothing back.
            return Outcome(f"in force; Dagster's pages and the agenda show it later: {error}")
        return Outcome("in force", (run_id,))

    return act
