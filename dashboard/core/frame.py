"""What every page shows around its content: band, navigation, clock, choices."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard.access import MATRIX, allowed
from dashboard.accounts.adapter import no_account_yet
from dashboard.gateway.installation import Installation, read_installation
from dashboard.gateway.reading import snapshot
from dashboard.middleware import THEME_COOKIE
from strades_pipelines.settings import settings

COMMUNITY = frozenset(
    {
        *("community", "contacts", "contact_cards_read", "organizations", "organization", "organization_join"),
        *("threads", "thread_new", "thread", "message_reports", "meetings", "meeting_new", "meeting"),
    }
)
THEMES = ("light", "dark", "system")


def installation_of(request: HttpRequest) -> Installation:
    """What is read of the installation, once a request."""
    found = getattr(request, "strades_installation", None)
    if found is None:
        with snapshot():
            found = read_installation()
        request.strades_installation = found
    return found


def frame(request: HttpRequest) -> dict[str, Any]:
    """The names that `base.html` uses."""
    user = getattr(request, "user", None)
    theme = request.COOKIES.get(THEME_COOKIE, "system")
    signed_in = user is not None and user.is_authenticated
    return {
        "now": settings().now(),
        "zone": timezone.get_current_timezone_name(),
        "theme": theme if theme in THEMES else "system",
        "themes": THEMES,
        "may": {name for name in MATRIX if allowed(user, name)},
        "installation": installation_of(request) if signed_in else None,
        "is_first_account": no_account_yet,  # called by the form to sign up alone
        "community_places": COMMUNITY,
        "place": request.resolver_match.url_name if request.resolver_match else "",
    }
