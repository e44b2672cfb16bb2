"""How many forms a person, or an address of nobody who is signed in, may send in a minute.

What stops trading is never counted.
"""

from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# Behind a proxy, and in a container, everybody has one address. Who is signed in is not counted by it: anybody without
# an account could then keep all others from sending. Attempts to sign in have a limit of their own, see settings.
OF_PERSON, OF_ADDRESS = "60/m/user", "300/m/ip"
SECONDS = 60
UNLIMITED = frozenset(
    {
        "halt",
        "flatten",
        "order_cancel",
        "live_revoke",
        "automation_pause",
        "run_cancel",
        "account_logout",
        "preferences",
    }
)


def refuse_too_many(request: HttpRequest, name: str) -> HttpResponse | None:
    """The page of 429 for a form above a limit, of which nothing is carried out; None for any other request.

    Args:
        name: of the URL.
    """
    if request.method != "POST" or name in UNLIMITED:
        return None
    rates = OF_PERSON if request.user.is_authenticated else OF_ADDRESS
    if ratelimit.consume(request, app="dashboard", action="write", config={"write": rates}) is not None:
        return None
    response = render(request, "429.html", {"is_write": True}, status=429)
    response["Retry-After"] = str(SECONDS)
    return response
