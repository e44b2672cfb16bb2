"""How many forms a person and an address may send in a minute. What stops trading is never counted."""

from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# Several people share an address behind a proxy. Attempts to sign in have a limit of their own, see settings.
OF_PERSON, OF_ADDRESS = "60/m/user", "300/m/ip"
SECONDS = 60
UNLIMITED = frozenset({"halt", "live_revoke", "account_logout", "preferences"})


def refuse_too_many(request: HttpRequest, name: str) -> HttpResponse | None:
    """The page of 429 for a form above a limit, of which nothing is carried out; None for any other request.

    Args:
        name: of the URL.
    """
    if request.method != "POST" or name in UNLIMITED:
        return None
    rates = f"{OF_PERSON},{OF_ADDRESS}" if request.user.is_authenticated else OF_ADDRESS
    if ratelimit.consume(request, app="dashboard", action="write", config={"write": rates}) is not None:
        return None
    response = render(request, "429.html", {"is_write": True}, status=429)
    response["Retry-After"] = str(SECONDS)
    return response
