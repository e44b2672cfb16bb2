"""What people do in threads, and which of them they read. Each change is an act."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused, blocked_people, may_reach
from dashboard.community.models import Member, Organization
from dashboard.community.organizations import member_ids
from dashboard.messaging.models import Message, MessageVersion, Reader, Report, Thread
from strades_pipelines.settings import settings

MOST_READERS, MOST_SHOWN = 50, 50
EDIT_TIME, MOST_EDITS = timedelta(minutes=15), 20
MENTION = re.compile(r"(?<![\w@])@([\w.@+-]{1,64})")


def threads_of(person: User) -> Any:
    """The threads that a person reads, those with the newest message first, with `unread` and `newest_at`."""
    own = Reader.objects.filter(person=person, ended_at=None)
    mine = Member.objects.filter(person=person, ended_at=None).values("organization")
    read_to = own.filter(thread=OuterRef("pk")).values("read_to")[:1]
    found = Thread.objects.filter(
        Q(organization=None, pk__in=own.values("thread")) | Q(organization__in=mine)
    ).annotate(read_to=Coalesce(Subquery(read_to), 0))
    fresh = Q(messages__id__gt=F("read_to")) & ~Q(messages__author=person)
    fresh &= ~Q(messages__author__in=blocked_people(person))
    return found.annotate(
        newest_at=Max("messages__sent_at"), newest=Max("messages__id"), unread=Count("messages", filter=fresh)
    ).order_by(F("newest").desc(nulls_last=True), "-id")


def thread_of(person: User, thread_id: int) -> Thread | None:
    """A thread that the person reads, or None. One query."""
    own = Reader.objects.filter(person=person, ended_at=None).values("thread")
    mine = Member.objects.filter(person=person, ended_at=None).values("organization")
    found = Thread.objects.filter(Q(organization=None, pk__in=own) | Q(organization__in=mine), pk=thread_id)
    first: Thread | None = found.select_related("organization").first()
    return first


def people_of(thread: Thread) -> list[User]:
    """Who reads a thread now, by name."""
    if thread.organization is not None:
        found = User.objects.filter(pk__in=member_ids(thread.organization))
    else:
        found = User.objects.filter(pk__in=thread.readers.filter(ended_at=None).values("person"))
    return list(found.order_by("pseudo"))


def people_of_threads(person: User) -> set[int]:
    """Accounts that read, or wrote in, a thread that the person reads."""
    own = Thread.objects.filter(pk__in=threads_of(person).values("pk"))
    readers = Reader.objects.filter(thread__in=own.filter(organization=None), ended_at=None)
    authors = Message.objects.filter(thread__in=own)
    return {*readers.values_list("person", flat=True), *authors.values_list("author", flat=True)}


@transaction.atomic
def start_thread(
    person: User, *, title: str, people: Collection[User], organization: Organization | None, key: UUID | None = None
) -> Thread:
    """A thread with people whom one may reach, or of an organization that one is in; one form starts one.

    Raises:
        Refused: one of them may not be reached, or there is nobody.
    """
    if organization is not None:
        readers = member_ids(organization)
        if person.pk not in readers:
            raise Refused("reach")
    else:
        if not people or len(people) >= MOST_READERS or not all(may_reach(person, one) for one in people):
            raise Refused("reach")
        readers = [one.pk for one in people]
    row = Thread(title=title, organization=organization, started_by=person, started_at=settings().now(), key=key)
    try:
        record_act(row, "thread_started", by=person, readers=readers)
    except IntegrityError:
        known: Thread = Thread.objects.get(key=key, started_by=person)
        return known
    if organization is None:
        Reader.objects.bulk_create(Reader(thread=row, person=one) for one in {person, *people})
    return row


def may_send(person: User, thread: Thread, people: Collection[User]) -> bool:
    """Whether a person may write: of two people who do not reach each other any more neither does."""
    others = [one for one in people if one.pk != person.pk]
    return thread.organization is not None or len(others) != 1 or may_reach(person, others[0])


def send_message(person: User, thread: Thread, *, text: str, key: UUID) -> None:
    """Add a message; the same form sent twice is one. Who muted the thread is told only where he is mentioned.

    Raises:
        Refused: `reach`, see `may_send`.
    """
    people = people_of(thread)
    if not may_send(person, thread, people):
        raise Refused("reach")
    hidden = blocked_people(person)
    people = [one for one in people if one.pk not in hidden]  # to them it is not shown: they are told of nothing
    # A mention may end a sentence.
    mentioned = {name.rstrip(".").casefold() for name in MENTION.findall(text)}
    told = {one.pk for one in people if one.pseudo.casefold() in mentioned}
    muted = set(thread.readers.filter(is_muted=True, ended_at=None).values_list("person", flat=True))
    readers = {one.pk for one in people if one.pk not in muted} | told
    row = Message(thread=thread, author=person, key=key, text=text, sent_at=settings().now())
    value = {"thread": thread.pk, "mentioned": sorted(told)}
    try:
        record_act(row, "message_sent", by=person, readers=readers, value=value)
    except IntegrityError:
        # The key may be another message's: that is told.
        if not Message.objects.filter(key=key, author=person, thread=thread).exists():
            raise


def may_edit(person: User, message: Message) -> bool:
    """Whether a message is the person's own, is shown, and is not older than EDIT_TIME."""
    is_own = message.author_id == person.pk and message.hidden_at is None
    return is_own and settings().now() - message.sent_at <= EDIT_TIME


@transaction.atomic
def edit_message(person: User, thread: Thread, message_id: int, text: str) -> None:
    """Change a message; what stood there is kept. The same text again changes nothing. Nobody is told of it.

    Raises:
        Refused: `edit`, it is none of his, is hidden, or is too old, or was changed MOST_EDITS times; `reach`, see
            `may_send`.
    """
    if not may_send(person, thread, people_of(thread)):
        raise Refused("reach")
    row = Message.objects.select_for_update().filter(pk=message_id, thread=thread).first()
    if row is None or not may_edit(person, row):
        raise Refused("edit")
    if row.text == text:
        return
    if row.versions.count() >= MOST_EDITS:
        raise Refused("edit")
    now = settings().now()
    MessageVersion.objects.create(message=row, text=row.text, replaced_at=now)
    row.text, row.edited_at = text, now
    record_act(row, "message_edited", by=person, value={"thread": thread.pk})


def mark_read(person: User, thread: Thread, newest: int) -> None:
    """Keep how far the thread was shown. It is no act: a page that is opened does nothing to others."""
    _own_row(person, thread)
    Reader.objects.filter(thread=thread, person=person, ended_at=None, read_to__lt=newest).update(read_to=newest)


def is_muted(person: User, thread: Thread) -> bool:
    """Whether the person muted the thread."""
    return bool(thread.readers.filter(person=person, ended_at=None, is_muted=True).exists())


def mute(person: User, thread: Thread, *, is_muted: bool) -> None:
    """Be told of no message, or of each one again."""
    _own_row(person, thread)
    Reader.objects.filter(thread=thread, person=person, ended_at=None).update(is_muted=is_muted)


def leave_thread(person: User, thread: Thread) -> None:
    """Read a thread no more; one of an organization is left with the organization."""
    if thread.organization is None:
        Reader.objects.filter(thread=thread, person=person, ended_at=None).update(ended_at=settings().now())


def report_message(person: User, message: Message, reason: str) -> None:
    """Ask the admins to look at a message of a thread that the person reads; once."""
    if Report.objects.filter(message=message, reported_by=person).exists():
        return
    row = Report(message=message, reported_by=person, reason=reason, reported_at=settings().now())
    record_act(row, "message_reported", by=person, readers=admins())


@transaction.atomic
def answer_report(admin: User, report_id: int, *, is_hidden: bool, answer: str) -> None:
    """Hide a message or keep it, once, with a reason that its author and who reported it read."""
    row = Report.objects.select_for_update().filter(pk=report_id, answered_at=None).select_related("message").first()
    if row is None:
        return
    now: datetime = settings().now()
    row.answered_by, row.answered_at, row.is_hidden, row.answer = admin, now, is_hidden, answer
    if is_hidden:
        Message.objects.filter(pk=row.message_id, hidden_at=None).update(hidden_at=now)
    value = {"thread": row.message.thread_id, "hidden": is_hidden}
    for reader in sorted({row.reported_by_id, row.message.author_id}):  # neither learns of the other by an act
        record_act(row, "report_answered", by=admin, readers=[reader], value=value)


def answers_of(person: User, rows: Collection[Message]) -> dict[int, list[Report]]:
    """By number of the message, what admins answered to reports of it that the person made, or that are of his own."""
    own = Q(reported_by=person) | Q(message__author=person)
    found: dict[int, list[Report]] = {}
    for report in Report.objects.filter(own, message__in=rows).exclude(answered_at=None).order_by("id"):
        found.setdefault(report.message_id, []).append(report)
    return found


def admins() -> list[int]:
    """Numbers of the accounts of admins."""
    return list(User.objects.filter(role="admin", is_active=True).values_list("pk", flat=True))


def _own_row(person: User, thread: Thread) -> None:
    if thread.organization is not None:
        Reader.objects.get_or_create(thread=thread, person=person, ended_at=None)
