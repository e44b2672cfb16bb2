"""The agenda as a calendar that other programs subscribe to: an address with a token, which can be revoked."""

import hashlib
from datetime import UTC, timedelta

from allauth.core.internal import ratelimit
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard.access import allowed
from dashboard.accounts.changes import record_change
from dashboard.accounts.models import User
from dashboard.gateway.agenda import Entry, read_entries
from dashboard.gateway.reading import snapshot
from dashboard.gateway.viewer import set_viewer
from dashboard.meetings.planning import Occurrence, planned
from dashboard.scheduler.icalendar import CalendarEvent, write_calendar
from dashboard.scheduler.models import CalendarFeed
from strades_pipelines.settings import settings

BACK, AHEAD = timedelta(days=1), timedelta(days=14)
# Runs and orders are history. A schedule of each minute must not take the place of the sessions and releases to come.
MARKET_KINDS, SCHEDULE_KINDS = ("session", "release"), ("schedule",)
MOST_EVENTS, MOST_FEEDS = 2_000, 5  # of either
MOST_READS = "30/m/ip"  # as attempts to sign in
LINK = "calendar_link"  # key of the session that holds a new address until it is shown once


@require_safe
def calendar(request: HttpRequest) -> HttpResponse:
    """One's own feeds; a new address is shown once."""
    feeds = CalendarFeed.objects.filter(user=request.user, revoked_at=None).order_by("-created_at")
    context = {"feeds": feeds, "link": request.session.pop(LINK, None), "most": MOST_FEEDS}
    return render(request, "scheduler/calendar.html", context)


@require_POST
@transaction.atomic
def calendar_create(request: HttpRequest) -> HttpResponse:
    """Make an address."""
    assert isinstance(request.user, User)
    if CalendarFeed.objects.filter(user=request.user, revoked_at=None).count() < MOST_FEEDS:
        _feed, token = CalendarFeed.issue(request.user)
        record_change(request.user, "calendar address made", request=request)
        request.session[LINK] = request.build_absolute_uri(reverse("calendar_feed", args=[token]))
    return redirect("calendar")


@require_POST
@transaction.atomic
def calendar_revoke(request: HttpRequest, feed_id: int) -> HttpResponse:
    """End an address of one's own; another person's does not exist."""
    feed = get_object_or_404(CalendarFeed.objects.select_for_update(), pk=feed_id, user=request.user, revoked_at=None)
    feed.revoked_at = timezone.now()
    feed.save(update_fields=["revoked_at"])
    record_change(request.user, "calendar address revoked", request=request)
    return redirect("calendar")


@require_safe
def calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """The file. Its address is its key: no session is looked at, and `dashboard.logs` masks it."""
    if ratelimit.consume(request, app="dashboard", action="feed", config={"feed": MOST_READS}, limit_get=True) is None:
        return HttpResponse(status=429)
    feed = CalendarFeed.open_for(token).first()
    if feed is None or not allowed(feed.user, "agenda"):
        return HttpResponse(status=404)
    now = settings().now()
    set_viewer(feed.user.pk)  # who has the address reads as its owner
    with snapshot():
        entries = read_entries(now - BACK, now + AHEAD, kinds=MARKET_KINDS, after=None, most=MOST_EVENTS)
        entries += read_entries(now, now + AHEAD, kinds=SCHEDULE_KINDS, after=None, most=MOST_EVENTS)
    meetings = planned(feed.user, now - BACK, now + AHEAD)[:MOST_EVENTS]
    events = [*map(_event, entries), *map(_meeting, meetings)]
    body = write_calendar(events, name="Strades", now=now)
    response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'inline; filename="strades.ics"'
    response["Cache-Control"] = "private, no-store"
    return response


def _event(entry: Entry) -> CalendarEvent:
    identity = hashlib.sha256(f"{entry.what}|{entry.starts_at.isoformat()}".encode()).hexdigest()[:40]
    summary = f"{entry.kind}: {entry.what}"
    return CalendarEvent(
        f"{identity}@strades", entry.starts_at, entry.ends_at, summary, f"{summary}\n{entry.state}", entry.kind
    )


def _meeting(one: Occurrence) -> CalendarEvent:
    # Each time of a repeated event is an entry of its own.
    uid = f"{one.starts_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{one.meeting.uid}"
    return CalendarEvent(uid, one.starts_at, one.ends_at, one.meeting.title, one.meeting.text, "event")
