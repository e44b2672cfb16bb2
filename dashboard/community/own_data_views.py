"""One's own data: as a file, and erased."""

import json

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.accounts.changes import record_change
from dashboard.accounts.models import User
from dashboard.community.contacts import Refused
from dashboard.community.own_data import erase, own_data


@require_safe
def own_data_file(request: HttpRequest) -> HttpResponse:
    """What is kept of a person, as JSON."""
    assert isinstance(request.user, User)
    body = json.dumps(own_data(request.user), ensure_ascii=False, indent=1, default=str)
    response = HttpResponse(body, content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def account_erase(request: HttpRequest) -> HttpResponse:
    """Erase one's account, with the name typed once more and the password given within five minutes."""
    assert isinstance(request.user, User)
    person, status = request.user, 200
    if request.method == "POST":
        status = 400
        if request.POST.get("name") != person.pseudo:
            messages.error(request, _("Type your name as it is, to erase the account."))
        else:
            try:
                erase(person)
            except Refused as refused:
                messages.error(request, _reason(str(refused)))
            else:
                record_change(person, "account erased", by=person.pseudo, request=request)
                logout(request)
                return redirect("account_login")
    return render(request, "community/erase.html", {}, status=status)


def _reason(code: str) -> str:
    words: dict[str, str] = {
        "owner": _("You are the last owner of an organization: make another member one first."),
        "wallet": _("A wallet is yours: ask an admin to give it to somebody else first."),
        "admin": _("You are the last admin: make somebody else one first."),
    }
    return words[code]
