"""Pages of events: the list, one event, a new one, and iCalendar files in and out."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.bad_files import FileRefused
from dashboard.community.contacts import Refused, blocked_people, contacts_of
from dashboard.community.forms import FileForm
from dashboard.community.organization_views import reason
from dashboard.community.organizations import organizations_of
from dashboard.meetings.files import FIRST_YEAR, LAST_YEAR, read_events, write_events
from dashboard.meetings.forms import AnswerForm, ChangeForm, MeetingForm
from dashboard.meetings.models import Answer, Guest, Meeting
from dashboard.meetings.planning import (
    answer_meeting,
    call_off_time,
    cancel_meeting,
    change_meeting,
    meetings_of,
    plan,
    planned,
    readers_of,
    take_in,
    times_of,
)
from strades_pipelines.settings import settings

LARGEST_ID = 2**63 - 1
LIST_WINDOW, SHOWN_EVENTS, SHOWN_REPEATS = timedelta(days=60), 100, 10
YEAR = timedelta(days=366)
MOST_FILE = 200_000  # bytes
# Pages that take `as_of` in their address and then show nothing that became known later.
PAGES_AS_OF = ("news", "statistics", "reports")


@require_safe
def meetings(request: HttpRequest) -> HttpResponse:
    """Events of the next two months, with their repeats."""
    assert isinstance(request.user, User)
    now = settings().now()
    found = planned(request.user, now, now + LIST_WINDOW)[:SHOWN_EVENTS]
    answers = dict(Guest.objects.filter(person=request.user).values_list("meeting", "answer"))
    rows = [(one, answers.get(one.meeting.pk, "")) for one in found]
    return render(request, "meetings/meetings.html", {"rows": rows, "form": FileForm(), "days": LIST_WINDOW.days})


@require_http_methods(["GET", "HEAD", "POST"])
def meeting_new(request: HttpRequest) -> HttpResponse:
    """Plan an event."""
    assert isinstance(request.user, User)
    people = {one.pk: one for one in contacts_of(request.user)}
    groups = {one.organization_id: one.organization for one in organizations_of(request.user)}
    initial = {"key": uuid4(), "zone": timezone.get_current_timezone_name(), "as_of": request.GET.get("as_of", "")}
    form = MeetingForm(request.POST if request.method == "POST" else None, initial=initial)
    form.fields["people"].choices = [(number, one.pseudo) for number, one in people.items()]
    form.fields["organization"].choices = [("", "—"), *((number, one.name) for number, one in groups.items())]
    if form.is_bound and form.is_valid():
        group = form.cleaned_data["organization"]
        guests = [people[number] for number in form.cleaned_data["people"]]
        try:
            made = plan(
                request.user,
                form.draft,
                people=guests,
                organization=groups[group] if group else None,
                capacity=form.cleaned_data["capacity"],
            )
            return redirect("meeting", made.pk)
        except Refused as refused:
            form.add_error(None, reason(str(refused)))
    return render(request, "meetings/new.html", {"form": form}, status=400 if form.is_bound else 200)


@require_safe
def meeting(request: HttpRequest, meeting_id: int) -> HttpResponse:
    """One event: time, guests, answers, links as of the time that it pins; `?change` has the form for its planner."""
    person, found = _meeting(request, meeting_id)
    is_changed = "change" in request.GET and found.planned_by_id == person.pk and found.cancelled_at is None
    return _page(request, person, found, change=ChangeForm.of(found) if is_changed else None)


def _page(request: HttpRequest, person: User, found: Meeting, *, change: ChangeForm | None) -> HttpResponse:
    readers = readers_of(found)
    # Who is no reader, since the organization was left, sees himself alone.
    shown = readers - blocked_people(person) if person.pk in readers else {person.pk}
    guests = found.guests.filter(person__in=shown).select_related("person").order_by("person__pseudo")
    mine = next((row for row in guests if row.person_id == person.pk), None)
    now = settings().now()
    repeats = [(begins, begins.astimezone(UTC).isoformat()) for begins, _ends in times_of(found, now, now + YEAR)]
    said = None if mine is None else Answer.YES if mine.answer == Answer.WAITING else mine.answer
    initial = {"answer": said, "reminder": mine.reminder_minutes} if mine else None
    context = {
        "meeting": found,
        "guests": guests,
        "form": AnswerForm(initial=initial),
        "repeats": repeats[:SHOWN_REPEATS] if found.rule else [],
        "coming": sum(guest.answer == Answer.YES for guest in guests),
        "is_mine": found.planned_by_id == person.pk,
        "pages": _pages(found),
        "change": change,
    }
    return render(request, "meetings/meeting.html", context, status=400 if change and change.is_bound else 200)


def _pages(meeting: Meeting) -> list[tuple[str, str]]:
    """Name and address of each page as of the time that an event pins."""
    if meeting.as_of is None:
        return []
    clock = urlencode({"as_of": meeting.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")})
    words = {"news": _("News"), "statistics": _("Statistics"), "reports": _("Reports")}
    return [(words[name], f"{reverse(name)}?{clock}") for name in PAGES_AS_OF]


@require_POST
def meeting_act(request: HttpRequest, meeting_id: int) -> HttpResponse:
    """Answer an event, or change or cancel one's own."""
    person, found = _meeting(request, meeting_id)
    if request.POST.get("act") == "cancel":
        cancel_meeting(person, found)
        return redirect("meeting", meeting_id)
    if request.POST.get("act") == "call_off":
        begins = read_instant(request.POST.get("begins", ""))
        if begins is None or not call_off_time(person, found, begins):
            messages.error(request, _("Choose from the list."))
        return redirect("meeting", meeting_id)
    if request.POST.get("act") == "change":
        change = ChangeForm(request.POST, auto_id="change_%s")
        if not change.is_valid():
            return _page(request, person, found, change=change)
        change_meeting(person, found, change.draft, capacity=change.cleaned_data["capacity"])
        return redirect("meeting", meeting_id)
    form = AnswerForm(request.POST)
    if form.is_valid() and found.cancelled_at is None:
        answer, minutes = form.cleaned_data["answer"], form.cleaned_data["reminder"]
        if answer_meeting(person, found, answer, reminder_minutes=minutes) == Answer.WAITING:
            messages.warning(request, _("No place is left: you are on the waiting list."))
        else:
            messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Choose from the list."))
    return redirect("meeting", meeting_id)


def read_instant(text: str) -> datetime | None:
    """An aware time of a form, or None."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None and FIRST_YEAR <= found.year <= LAST_YEAR else None


def _meeting(request: HttpRequest, meeting_id: int) -> tuple[User, Meeting]:
    assert isinstance(request.user, User)
    found = meetings_of(request.user).filter(pk=meeting_id).first() if meeting_id <= LARGEST_ID else None
    if found is None:
        raise Http404
    return request.user, found


@require_safe
def meetings_file(request: HttpRequest) -> HttpResponse:
    """The user's events as an iCalendar file, with reminders; repeats are exported as rules."""
    assert isinstance(request.user, User)
    reminders = dict(Guest.objects.filter(person=request.user).values_list("meeting", "reminder_minutes"))
    rows = meetings_of(request.user).filter(cancelled_at=None).order_by("starts_at")
    body = write_events(((row, reminders.get(row.pk)) for row in rows), now=settings().now())
    response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="events.ics"'
    return response


@require_POST
def meetings_read(request: HttpRequest) -> HttpResponse:
    """Import the events of an iCalendar file for the user. Idempotent."""
    assert isinstance(request.user, User)
    form = FileForm(request.POST, request.FILES)
    try:
        if not form.is_valid() or form.cleaned_data["file"].size > MOST_FILE:
            raise FileRefused("iCalendar")
        drafts, left_out = read_events(form.cleaned_data["file"].read())
        taken = take_in(request.user, drafts)
    except FileRefused:
        messages.error(request, _("This is no iCalendar file of at most 200 events."))
    except Refused as refused:
        messages.error(request, reason(str(refused)))
    else:
        line = ngettext("%(taken)d event was taken in.", "%(taken)d events were taken in.", taken) % {"taken": taken}
        if left_out:
            line += " " + _("Left out, for their times or repeats: %(count)d.") % {"count": left_out}
        messages.success(request, line)
    return redirect("meetings")
