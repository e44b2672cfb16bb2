"""The pages of messages: threads with a search, one thread, a new one, a thread as a file, what was reported."""

import json
from typing import Any
from uuid import uuid4

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.community.contacts import Refused, blocked_people, contacts_of
from dashboard.community.organization_views import reason
from dashboard.community.organizations import organizations_of
from dashboard.core.live import live_page
from dashboard.gateway.cards import Card, ids_in, read_cards
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.messaging.forms import AnswerForm, EditForm, MessageForm, ReportForm, ThreadForm
from dashboard.messaging.markdown import render_markdown
from dashboard.messaging.models import Message, Report, Thread
from dashboard.messaging.threads import (
    MOST_SHOWN,
    answer_report,
    answers_of,
    edit_message,
    is_muted,
    leave_thread,
    mark_read,
    may_edit,
    may_send,
    mute,
    people_of,
    report_message,
    send_message,
    start_thread,
    thread_of,
    threads_of,
)
from dashboard.overall_data.clock import read_text
from dashboard.rate_limits import MINUTE, too_many

LARGEST_ID = 2**63 - 1
MESSAGES = "20/m/user"
MOST_FOUND, MOST_EXPORTED = 50, 10_000


@require_safe
def threads(request: HttpRequest) -> HttpResponse:
    """One's threads, or the messages in them that have some words."""
    assert isinstance(request.user, User)
    words = read_text(request, "q")[:100]
    own: Any = threads_of(request.user)
    found: list[Message] = []
    if words:
        hits = Message.objects.filter(thread__in=own.values("pk"), text__icontains=words, hidden_at=None)
        hits = hits.exclude(author__in=blocked_people(request.user)).select_related("author", "thread")
        found = list(hits.order_by("-id")[:MOST_FOUND])
    context = {"threads": own.select_related("organization")[:MOST_FOUND], "words": words, "found": found}
    return render(request, "messaging/threads.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def thread_new(request: HttpRequest) -> HttpResponse:
    """Start a thread with contacts, or with an organization."""
    assert isinstance(request.user, User)
    people = {one.pk: one for one in contacts_of(request.user)}
    groups = {one.organization_id: one.organization for one in organizations_of(request.user)}
    initial = {"key": uuid4(), "people": request.GET.getlist("with")}
    form = ThreadForm(request.POST if request.method == "POST" else None, initial=initial)
    form.fields["people"].choices = [(number, one.pseudo) for number, one in people.items()]
    form.fields["organization"].choices = [("", "—"), *((number, one.name) for number, one in groups.items())]
    if form.is_bound and form.is_valid():
        chosen, group = [people[number] for number in form.cleaned_data["people"]], form.cleaned_data["organization"]
        try:
            made = start_thread(
                request.user,
                title=form.cleaned_data["title"],
                people=[] if group else chosen,
                organization=groups[group] if group else None,
                key=form.cleaned_data["key"],
            )
            return redirect("thread", made.pk)
        except Refused:
            form.add_error(None, _("Choose one contact or more, or an organization."))
    return render(request, "messaging/new.html", {"form": form}, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@live_page
def thread(request: HttpRequest, thread_id: int) -> HttpResponse:
    """A thread, newest messages last, and the form to write. `before` in the address shows older ones.

    `about` names a message of somebody else: forms to report it and to block its author. They stand outside the part
    that is read again, whose forms would be made anew under the hand. `edit` names one of one's own, to change it.
    """
    person, found = _thread(request, thread_id)
    people = people_of(found)
    form = MessageForm(request.POST if request.method == "POST" else None, initial={"key": uuid4()})
    if form.is_bound:
        limited = ratelimit.consume(
            request, app="dashboard", action="message", config={"message": MESSAGES}, limit_get=True
        )
        if limited is None:
            return too_many(request, "write", MINUTE)
        if form.is_valid():
            try:
                send_message(person, found, **form.cleaned_data)
                return redirect("thread", thread_id)
            except Refused as refused:
                form.add_error(None, reason(str(refused)))
    before = parse_whole(request.GET.get("before", ""), LARGEST_ID)
    rows = found.messages.exclude(author__in=blocked_people(person)).select_related("author").order_by("-id")
    # One more than is shown tells whether there are older ones.
    newest = list((rows if before is None else rows.filter(id__lt=before))[: MOST_SHOWN + 1])
    shown = newest[:MOST_SHOWN][::-1]
    if shown and before is None:
        mark_read(person, found, shown[-1].pk)
    about = parse_whole(request.GET.get("about", ""), LARGEST_ID)
    context = {
        "thread": found,
        "edit_form": _edit_form(person, rows, parse_whole(request.GET.get("edit", ""), LARGEST_ID)),
        "editable": {row.pk for row in shown if may_edit(person, row)},
        "about": None if about is None else rows.filter(pk=about).exclude(author=person).first(),
        "people": [one for one in people if one.pk not in blocked_people(person)],
        "rows": _with_cards(person, shown),
        "older": shown[0].pk if len(newest) > MOST_SHOWN else None,
        "before": before,
        "form": form,
        "may_send": may_send(person, found, people),
        "is_muted": is_muted(person, found),
        "last": shown[-1] if shown else None,
    }
    return render(request, "messaging/thread.html", context, status=400 if form.is_bound else 200)


def _edit_form(person: User, rows: Any, message_id: int | None) -> EditForm | None:
    row = None if message_id is None else rows.filter(pk=message_id).first()
    if row is None or not may_edit(person, row):
        return None
    return EditForm(initial={"message": row.pk, "text": row.text}, auto_id="edit_%s")


def _with_cards(
    person: User, rows: list[Message]
) -> list[tuple[Message, str, list[tuple[str, Card | None]], list[Report]]]:
    """Each message with its HTML, its cards and what admins said of it; None for an id that this reader does not see.

    Two queries for all.
    """
    answers = answers_of(person, rows)
    ids = {row.pk: ids_in(row.text) if row.hidden_at is None else [] for row in rows}
    with snapshot():
        cards = read_cards(one for several in ids.values() for one in several)
    return [
        (row, render_markdown(row.text), [(one, cards.get(one)) for one in ids[row.pk]], answers.get(row.pk, []))
        for row in rows
    ]


@require_POST
def thread_act(request: HttpRequest, thread_id: int) -> HttpResponse:
    """Mute, unmute or leave a thread, or change or report a message of it."""
    person, found = _thread(request, thread_id)
    act = request.POST.get("act", "")
    if act in ("mute", "unmute"):
        mute(person, found, is_muted=act == "mute")
    elif act == "leave":
        leave_thread(person, found)
        return redirect("threads")
    elif act == "edit":
        _edit(request, person, found)
    elif act == "report":
        form = ReportForm(request.POST)
        row = found.messages.filter(pk=form.cleaned_data["message"]).first() if form.is_valid() else None
        if row is None:
            messages.error(request, _("Say what is wrong with the message."))
        else:
            report_message(person, row, form.cleaned_data["reason"])
            messages.success(request, _("The admins will look at it."))
    return redirect("thread", thread_id)


def _edit(request: HttpRequest, person: User, thread: Thread) -> None:
    form = EditForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(line for lines in form.errors.values() for line in lines))
        return
    try:
        edit_message(person, thread, form.cleaned_data["message"], form.cleaned_data["text"])
    except Refused as refused:
        messages.error(request, reason(str(refused)))


@require_safe
def thread_export(request: HttpRequest, thread_id: int) -> HttpResponse:
    """The messages of a thread as JSON, oldest first, as its page shows them to this person."""
    person, found = _thread(request, thread_id)
    rows = found.messages.exclude(author__in=blocked_people(person)).filter(hidden_at=None).order_by("id")
    document = {
        "thread": found.title,
        "messages": [
            {"by": row.author.pseudo, "at": row.sent_at.isoformat(), "text": row.text}
            | ({"edited": row.edited_at.isoformat()} if row.edited_at else {})
            for row in rows.select_related("author")[:MOST_EXPORTED]
        ],
    }
    response = HttpResponse(json.dumps(document, ensure_ascii=False, indent=1), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="thread-{found.pk}.json"'
    return response


def _thread(request: HttpRequest, thread_id: int) -> tuple[User, Thread]:
    assert isinstance(request.user, User)
    found = thread_of(request.user, thread_id) if thread_id <= LARGEST_ID else None
    if found is None:
        raise Http404
    return request.user, found


@require_http_methods(["GET", "HEAD", "POST"])
def reports(request: HttpRequest) -> HttpResponse:
    """What was reported, open ones first: the message alone, not its thread. An admin hides it or keeps it."""
    assert isinstance(request.user, User)
    form = AnswerForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        if form.is_valid() and request.POST.get("act") in ("hide", "keep"):
            is_hidden = request.POST["act"] == "hide"
            answer = form.cleaned_data["answer"]
            answer_report(request.user, form.cleaned_data["report"], is_hidden=is_hidden, answer=answer)
        else:
            messages.error(request, _("Give a reason."))
        return redirect("message_reports")
    rows = Report.objects.select_related("message__author", "message__thread", "reported_by", "answered_by")
    rows = rows.prefetch_related("message__versions")
    context = {"open": rows.filter(answered_at=None).order_by("id")[:MOST_FOUND]}
    context["answered"] = rows.exclude(answered_at=None).order_by("-answered_at")[:MOST_FOUND]
    return render(request, "messaging/reports.html", context)
