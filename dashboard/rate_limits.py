"""How many forms, searches and files a person may ask for, and forms an address of nobody who is signed in.

What stops trading is never counted.
"""

from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# Behind a proxy, and in a container, everybody has one address. Who is signed in is not counted by it: anybody without
# an account could then keep all others from sending. Attempts to sign in have a limit of their own, see settings.
OF_PERSON, OF_ADDRESS = "60/m/user", "300/m/ip"
# Whoever searches or saves a file is signed in. A wallet has five files: six wallets' are 30.
SEARCHES, EXPORTS = "120/m/user", "30/h/user"
MINUTE, HOUR = 60, 3600
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
# Rows and bytes as files; each leaves a row of the audit, too.
EXPORTED = frozenset(
    {
        "wallet_fills",
        "wallet_equity",
        "wallet_trades_csv",
        "wallet_returns_csv",
        "wallet_slippage_csv",
        "table_export",
        "body_download",
        "data_bytes",
        "thread_export",
        "shop_bundle",
        "own_data",
        "contact_cards",
        "meetings_file",
    }
)


def refuse_too_many(request: HttpRequest, name: str) -> HttpResponse | None:
    """The page of 429 for a request above a limit, of which nothing is carried out; None for any other request.

    Args:
        name: of the URL.
    """
    if name in EXPORTED:
        what, rate, seconds = "export", EXPORTS, HOUR
    elif name == "search":
        what, rate, seconds = "search", SEARCHES, MINUTE
    elif request.method == "POST" and name not in UNLIMITED:
        what, rate, seconds = "write", OF_PERSON if request.user.is_authenticated else OF_ADDRESS, MINUTE
    else:
        return None
    config = {what: rate}
    if ratelimit.consume(request, app="dashboard", action=what, config=config, limit_get=True) is not None:
        return None
    return too_many(request, what, seconds)


def too_many(request: HttpRequest, what: str, seconds: int) -> HttpResponse:
    """The page of 429.

    Args:
        what: write, search, export or live.
        seconds: after which it is certainly taken again.
    """
    response = render(request, "429.html", {"what": what}, status=429)
    response["Retry-After"] = str(seconds)
    return response
