"""What is kept of each signing in, and how one is ended from elsewhere."""

from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.utils import timezone

from dashboard.accounts.changes import address_of
from dashboard.accounts.models import Connection, User

KEY = "connection"
# Key of the session: what was ticked beside the password, until the second factor is given on a page of its own.
STAY = "stay_connected"
SEEN_EVERY = timedelta(minutes=1)  # a row a request would be most of what the pages write


def begin_connection(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Keep that somebody signed in; the session knows which row it is."""
    is_remembered = _is_to_stay(request)
    connection = Connection.objects.create(
        user=user,
        ip=address_of(request),
        # PostgreSQL keeps no NUL in a text.
        user_agent=request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:300],
        is_remembered=is_remembered,
    )
    request.session[KEY] = connection.pk
    # 0: until the browser ends.
    request.session.set_expiry(django_settings.SESSION_COOKIE_AGE if is_remembered else 0)


def end_connection(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Keep that somebody signed out."""
    if user is not None:
        end(Connection.objects.filter(pk=request.session.get(KEY), user=user))


def end(connections: Any) -> int:
    """End these connections; their browsers are signed out at the next request. Returns how many were open."""
    return int(connections.filter(ended_at=None).update(ended_at=timezone.now()))


def is_alive(request: HttpRequest) -> bool:
    """Whether the session of a signed-in request still counts; keeps when it was last seen."""
    now = timezone.now()
    connection = Connection.objects.filter(pk=request.session.get(KEY), user=request.user).first()
    if connection is None or connection.is_over(now):
        return False
    if now - connection.last_seen_at > SEEN_EVERY:
        Connection.objects.filter(pk=connection.pk, ended_at=None).update(last_seen_at=now)
    return True


def _is_to_stay(request: HttpRequest) -> bool:
    was_ticked = request.session.pop(STAY, False)
    is_second_factor = request.resolver_match is not None and request.resolver_match.url_name == "mfa_authenticate"
    return "remember" in request.POST or (was_ticked and is_second_factor)
