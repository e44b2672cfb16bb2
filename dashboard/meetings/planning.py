"""What people do with events, and which they see. Each change is an act."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused, blocked_people, may_reach
from dashboard.community.models import Member, Organization
from dashboard.community.organizations import member_ids
from dashboard.meetings.files import Draft
from dashboard.meetings.models import Answer, Guest, Meeting
from dashboard.meetings.recurrence import occurrences, with_end
from strades_pipelines.settings import settings

MOST_GUESTS, MOST_MEETINGS, MOST_CALLED_OFF = 50, 200, 200


@dataclass(frozen=True)
class Occurrence:
    """One time that an event takes place; times are aware."""

    meeting: Meeting
    starts_at: datetime
    ends_at: datetime


def meetings_of(person: User) -> Any:
    """The events that a person plans, is invited to, or whose organization he is in; no one of a blocked person.

    One of an organization is its members': who answered and left reads it no more.
    """
    mine = Member.objects.filter(person=person, ended_at=None).values("organization")
    invited = Guest.objects.filter(person=person).values("meeting")
    theirs = Q(organization=None, pk__in=invited) | Q(organization__in=mine)
    found = Meeting.objects.filter(Q(planned_by=person) | theirs)
    return found.exclude(planned_by__in=blocked_people(person)).select_related("planned_by", "organization")


def people_of_meetings(person: User) -> set[int]:
    """Accounts that plan, or are guests of, an event that the person sees."""
    own = meetings_of(person)
    guests = Guest.objects.filter(meeting__in=own.values("pk")).values_list("person", flat=True)
    return {*guests, *own.values_list("planned_by", flat=True)}


def planned(person: User, start: datetime, end: datetime) -> list[Occurrence]:
    """When these events take place within [start, end), soonest first. Two queries."""
    rows = meetings_of(person).filter(cancelled_at=None, starts_at__lt=end).filter(~Q(rule="") | Q(ends_at__gte=start))
    found = [
        Occurrence(row, begins, ends)
        for row in rows.order_by("-starts_at")[:MOST_MEETINGS]
        for begins, ends in times_of(row, start, end)
    ]
    return sorted(found, key=lambda one: (one.starts_at, one.meeting.pk))


def times_of(meeting: Meeting, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When an event begins and ends within [start, end), without the times that are called off."""
    found = occurrences(meeting.starts_at, meeting.ends_at, meeting.rule, meeting.zone, start=start, end=end)
    return [span for span in found if span[0].astimezone(UTC).isoformat() not in meeting.called_off]


def reminders(person: User, now: datetime, *, ahead: timedelta = timedelta(0)) -> list[Occurrence]:
    """Events of which a person wants to be reminded by now, or within `ahead`, and that are not over; soonest first.

    Three queries at most, one where he wants no reminder.
    """
    wanted = Guest.objects.filter(person=person, reminder_minutes__isnull=False).exclude(
        answer__in=(Answer.NO, Answer.WAITING)
    )
    before = {
        meeting: timedelta(minutes=minutes) for meeting, minutes in wanted.values_list("meeting", "reminder_minutes")
    }
    if not before:
        return []
    # The longest reminder says how far ahead events have to be looked for.
    end = now + ahead + max(before.values())
    return [
        one
        # The end is out: one that begins at the very instant is in.
        for one in planned(person, now, end + timedelta(seconds=1))
        if one.meeting.pk in before and one.starts_at - before[one.meeting.pk] <= now + ahead
    ]


def readers_of(meeting: Meeting) -> set[int]:
    """Accounts that an event concerns: of an organization its members now, else guests and who planned it."""
    if meeting.organization is not None:
        return set(member_ids(meeting.organization))
    return set(meeting.guests.values_list("person", flat=True)) | {meeting.planned_by_id}


@transaction.atomic
def plan(
    person: User,
    draft: Draft,
    *,
    people: Collection[User],
    organization: Organization | None,
    capacity: int | None = None,
) -> Meeting:
    """Plan an event, with contacts or an organization, or for oneself; one that is there by its `uid` stays as it is.

    Raises:
        Refused: `reach`, somebody may not be invited; `most`, as many as there may be.
        RuleRefused: the rule counts to more repeats than it ever comes to.
    """
    reached = all(may_reach(person, one) for one in people)
    if not reached or (organization is not None and person.pk not in member_ids(organization)):
        raise Refused("reach")
    User.objects.select_for_update().get(pk=person.pk)  # one after the other: a form sent twice is one event
    known: Meeting | None = Meeting.objects.filter(planned_by=person, uid=draft.uid).first()
    if known is not None:
        return known
    if len(people) > MOST_GUESTS or Meeting.objects.filter(planned_by=person).count() >= MOST_MEETINGS:
        raise Refused("most")
    row = Meeting(
        uid=draft.uid,
        title=draft.title,
        text=draft.text,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        zone=draft.zone,
        rule=with_end(draft.rule, draft.starts_at, draft.zone),
        as_of=draft.as_of,
        capacity=capacity,
        organization=organization,
        planned_by=person,
        planned_at=settings().now(),
    )
    row.save()
    Guest.objects.bulk_create(Guest(meeting=row, person=one) for one in people)
    record_act(row, "event_planned", by=person, readers=readers_of(row), value={"meeting": row.pk})
    return row


def take_in(person: User, drafts: Collection[Draft]) -> int:
    """Plan the events of a file that are not there yet, for oneself; how many that were.

    Raises:
        Refused: `most`; nothing is taken in.
    """
    with transaction.atomic():
        known = set(Meeting.objects.filter(planned_by=person).values_list("uid", flat=True))
        fresh = {draft.uid: draft for draft in drafts if draft.uid not in known}
        for draft in fresh.values():
            plan(person, draft, people=(), organization=None)
    return len(fresh)


def new_uid(key: UUID | None = None) -> str:
    """The id of a new event, for calendars everywhere; of the same form the same."""
    return f"{key or uuid4()}@strades"


@transaction.atomic
def answer_meeting(person: User, meeting: Meeting, answer: Answer, *, reminder_minutes: int | None) -> Answer:
    """Keep what a person says to an event that he sees, and when he is reminded; what it came to.

    A yes where no place is left waits; a place that somebody gives up goes to who waits longest.
    """
    meeting = Meeting.objects.select_for_update().get(pk=meeting.pk)  # of two who take the last place one waits
    row = Guest.objects.get_or_create(meeting=meeting, person=person)[0]
    kept = Answer(row.answer) if row.answer else None
    if answer == Answer.YES and kept in (Answer.YES, Answer.WAITING):
        answer = kept  # he keeps his place, in the event or in the line
    elif answer == Answer.YES and not _free_places(meeting):
        answer = Answer.WAITING
    if answer != kept:
        row.answered_at = settings().now()
    row.answer, row.reminder_minutes = answer.value, reminder_minutes
    value = {"meeting": meeting.pk, "answer": answer}
    planner = {meeting.planned_by_id} & readers_of(meeting)
    record_act(row, "event_answered", by=person, readers=planner, value=value)
    _give_free_places(person, meeting)
    return Answer(Guest.objects.get(pk=row.pk).answer)


def _free_places(meeting: Meeting) -> int:
    """How many places are left; those of who does not see the event any more are free."""
    if meeting.capacity is None:
        return MOST_MEETINGS
    taken: int = meeting.guests.filter(answer=Answer.YES.value, person__in=readers_of(meeting)).count()
    return max(0, int(meeting.capacity) - taken)


def _give_free_places(by: User, meeting: Meeting) -> None:
    """Give places to who waits, longest first. The caller has locked the event."""
    waiting = meeting.guests.filter(answer=Answer.WAITING.value, person__in=readers_of(meeting))
    for row in waiting.order_by("answered_at", "pk")[: _free_places(meeting)]:
        row.answer = Answer.YES.value
        record_act(row, "place_given", by=by, readers=[row.person_id], value={"meeting": meeting.pk})


@transaction.atomic
def change_meeting(person: User, meeting: Meeting, draft: Draft, *, capacity: int | None) -> None:
    """Change an event that one planned; all who are invited, or answered, are told. Answers stay as they are.

    With more places those who wait get them; with fewer nobody loses his. Its id and its guests do not change.

    Raises:
        RuleRefused: the rule counts to more repeats than it ever comes to.
    """
    row = Meeting.objects.select_for_update().filter(pk=meeting.pk, planned_by=person, cancelled_at=None).first()
    if row is None:
        return
    fields = {name: getattr(draft, name) for name in ("title", "text", "starts_at", "ends_at", "zone", "as_of")}
    fields |= {"rule": with_end(draft.rule, draft.starts_at, draft.zone), "capacity": capacity}
    changed = sorted(name for name, value in fields.items() if getattr(row, name) != value)
    if not changed:
        return
    for name in changed:
        setattr(row, name, fields[name])
    value = {"meeting": row.pk, "changed": changed}
    record_act(row, "event_changed", by=person, readers=readers_of(row), value=value)
    _give_free_places(person, row)


@transaction.atomic
def call_off_time(person: User, meeting: Meeting, begins: datetime) -> bool:
    """Call one time of a repeat off; who planned the event does. False where it has no such time, or too many are off.

    Args:
        begins: aware.
    """
    row = Meeting.objects.select_for_update().filter(pk=meeting.pk, planned_by=person, cancelled_at=None).first()
    if row is None or not row.rule or len(row.called_off) >= MOST_CALLED_OFF:
        return False
    if begins not in [at for at, _ in times_of(row, begins, begins + timedelta(microseconds=1))]:
        return False
    row.called_off = sorted([*row.called_off, begins.astimezone(UTC).isoformat()])
    value = {"meeting": row.pk, "begins": begins.astimezone(UTC).isoformat()}
    record_act(row, "event_time_cancelled", by=person, readers=readers_of(row), value=value)
    return True


@transaction.atomic
def cancel_meeting(person: User, meeting: Meeting) -> None:
    """Call an event off, all its repeats with it; who planned it does, once."""
    row = Meeting.objects.select_for_update().filter(pk=meeting.pk, planned_by=person, cancelled_at=None).first()
    if row is not None:
        row.cancelled_at = settings().now()
        record_act(row, "event_cancelled", by=person, readers=readers_of(row), value={"meeting": row.pk})
