"""What happens to every request: other sites are refused, sessions followed, rights checked."""

import logging
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.errors import InsufficientPrivilege

from dashboard.access import ANYONE, MATRIX
from dashboard.accounts.adapter import no_account_yet
from dashboard.accounts.changes import record_change
from dashboard.accounts.connections import is_alive
from dashboard.accounts.roles import NEEDS_SECOND_FACTOR, Right, Role, holders
from dashboard.accounts.second_factor import SecondFactorUnreadable
from dashboard.gateway.viewer import set_viewer
from dashboard.rate_limits import EXPORTED, refuse_too_many

logger = logging.getLogger(__name__)
Respond = Callable[[HttpRequest], HttpResponse]
ANONYMOUS_SECONDS = 3600
LONGEST_CHANGE = 100  # letters of a change in audit.account_changes
TIME_ZONE_COOKIE, THEME_COOKIE = "strades_time_zone", "strades_theme"


def refuse_other_sites(get_response: Respond) -> Respond:
    """Refuse what a page of another site makes the browser send, but for a link that leads here."""

    def respond(request: HttpRequest) -> HttpResponse:
        # A browser leaves these out over plain HTTP to another machine, where the token of a form holds.
        site = request.headers.get("Sec-Fetch-Site", "none")
        is_link = request.method == "GET" and request.headers.get("Sec-Fetch-Dest", "document") == "document"
        if site not in ("none", "same-origin") and not is_link:
            return HttpResponse("refused: another site sent this request\n", status=403, content_type="text/plain")
        response = get_response(request)
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response

    return respond


def activate_time_zone(get_response: Respond) -> Respond:
    """Show times in the zone of the person's choice, UTC without one."""

    def respond(request: HttpRequest) -> HttpResponse:
        try:
            timezone.activate(ZoneInfo(request.COOKIES.get(TIME_ZONE_COOKIE, "UTC")))
        # ZoneInfo opens a file of that name: what a cookie says may be a folder, or too long.
        except (ZoneInfoNotFoundError, ValueError, OSError):
            timezone.activate(ZoneInfo("UTC"))
        return get_response(request)

    return respond


def follow_session(get_response: Respond) -> Respond:
    """Sign out who was signed out elsewhere, switched off, or connected for too long."""

    def respond(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and not is_alive(request):
            logout(request)
        response = get_response(request)
        if request.user.is_authenticated:
            response["Cache-Control"] = "no-store"  # the back button shows nothing after signing out
        elif request.session.modified and not request.session.is_empty():
            # Anybody can make such a row: it holds no more than a step of signing in.
            request.session.set_expiry(ANONYMOUS_SECONDS)
        return response

    return respond


def follow_viewer(get_response: Respond) -> Respond:
    """Set the viewer for row security: other people's wallets and acts are hidden."""

    def respond(request: HttpRequest) -> HttpResponse:
        set_viewer(request.user.pk if request.user.is_authenticated else None)
        return get_response(request)

    return respond


def refusal(request: HttpRequest, needed: Role | Right | None) -> HttpResponse | None:
    """The response for a user without the right; None if permitted."""
    if needed is ANYONE:
        return None
    user = request.user
    if not user.is_authenticated:
        return redirect(sign_in_page(request.get_full_path()))
    if not user.may(needed):
        roles = holders(needed) if isinstance(needed, Right) else [needed]
        return render(request, "403.html", {"needed": " / ".join(roles)}, status=403)
    if needed in NEEDS_SECOND_FACTOR and not is_mfa_enabled(user):
        messages.warning(request, _("This needs a second factor. Set one up first."))
        return redirect("mfa_activate_totp")
    return None


def sign_in_page(path: str) -> str:
    """Where somebody without a session goes who asked for `path`."""
    return str(reverse("account_signup") if no_account_yet() else redirect_to_login(path).url)


class AccessMiddleware:
    """Ask the matrix before any view runs."""

    def __init__(self, get_response: Respond) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request. A file whose row in the audit cannot be written is not given."""
        response = self._get_response(request)
        match = request.resolver_match
        if match is not None and match.url_name in EXPORTED and response.status_code == 200:
            # An address may have line breaks in it: the row of the audit stays one line.
            path = "".join(letter if letter.isprintable() else "_" for letter in request.path)
            record_change(request.user, f"saved {path}"[:LONGEST_CHANGE], request=request)
        return response

    def process_view(self, request: HttpRequest, view: Any, arguments: Any, names: Any) -> HttpResponse | None:
        """Return the refusal, or None where the view may run."""
        assert request.resolver_match is not None
        name = request.resolver_match.url_name
        if name not in MATRIX:
            # Nobody said who may open it: so nobody may.
            raise Http404
        return refusal(request, MATRIX[name]) or refuse_too_many(request, name)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer two exceptions with a page that says what to do; any other one is None: Django answers 500.

        The database's row security refused a write, to a wallet that the user may only see: 403. A second factor
        cannot be read, since the home has another key than the one it was encrypted with: 409, and nobody is let in.
        """
        if isinstance(exception.__cause__, InsufficientPrivilege):
            return render(request, "403.html", {"needed": _("operate, on this wallet")}, status=403)
        if not isinstance(exception, SecondFactorUnreadable):
            return None
        logger.warning("a second factor was made with another dashboard.key; `strades dashboard removefactor NAME`")
        return render(request, "accounts/second_factor_unreadable.html", status=409)
