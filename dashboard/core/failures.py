"""What is answered where no page can be made: 503 where the database is not reachable, 500 for a fault of ours."""

import sys

import psycopg
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from dashboard.middleware import THEME_COOKIE

AGAIN_SECONDS = 10
UNREACHABLE = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# Of SQLSTATE: connection exceptions, too many connections, shutting down. A connection that was never made has none.
CLASSES = ("08", "53", "57P")


def failure(request: HttpRequest) -> HttpResponse:
    """The page for an error that no view expected. It reads nothing of the database and of the session."""
    if not is_unreachable(sys.exc_info()[1]):
        return HttpResponse(render_to_string("500.html"), status=500)
    is_read = request.method in ("GET", "HEAD")
    page = render_to_string("503.html", {"theme": request.COOKIES.get(THEME_COOKIE, "system"), "is_read": is_read})
    response = HttpResponse(page, status=503, headers={"Retry-After": str(AGAIN_SECONDS)})
    # A form is not sent again by itself.
    if is_read:
        response["Refresh"] = str(AGAIN_SECONDS)
    return response


def is_unreachable(error: BaseException | None) -> bool:
    """Whether an error says that the database cannot be asked; a query that was refused or took too long does not."""
    # Django's error wraps psycopg's, which has the state.
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "__cause__", None), "sqlstate", None)
    return isinstance(error, UNREACHABLE) and (state is None or str(state).startswith(CLASSES))
