"""What NGINX asks before it hands a request on to Dagster or the dbt docs (`auth_request`): 204, 401 or 403.

Neither has accounts. Who may not change anything in Dagster is shown a webserver that serves no mutation.
"""

from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from dashboard.accounts.roles import Role
from dashboard.middleware import sign_in_page

READS = Role.VIEWER
# Dagster's own pages start, stop and delete whatever there is, what trades included, and know no second factor.
WRITES = Role.ADMIN
GRAPHQL = "/dagster/graphql"


def dagster(request: HttpRequest) -> HttpResponse:
    """204 with the webserver that somebody is shown (`write` or `read`); 403 for a write that is no GraphQL."""
    refused = _refusal(request)
    if refused is not None:
        return refused
    may_write = request.user.may(WRITES) and is_mfa_enabled(request.user)
    path = request.headers.get("X-Original-URI", "").partition("?")[0]
    is_read = request.headers.get("X-Original-Method", "GET") in ("GET", "HEAD") or path == GRAPHQL
    if not may_write and not is_read:
        return HttpResponse(status=403)
    return HttpResponse(status=204, headers={"X-Dagster-Access": "write" if may_write else "read"})


def docs(request: HttpRequest) -> HttpResponse:
    """204 for whoever has an account: for the dbt docs, and before a file is read that somebody sends."""
    return _refusal(request) or HttpResponse(status=204)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if not request.user.is_authenticated:
        wanted = request.headers.get("X-Original-URI", "/")
        # A path of this host alone: anything else would lead the visitor away once he has signed in.
        page = sign_in_page(wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else "/")
        return HttpResponse(status=401, headers={"X-Sign-In-Page": page})
    return None if request.user.may(READS) else HttpResponse(status=403)
