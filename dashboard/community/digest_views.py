"""One's choice of digests, and the pages that the links of their mails lead to, for whoever has the mail."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.accounts.models import User
from dashboard.community.digests import choose_digest, confirm_digest, digest_of_token, stop_digest
from dashboard.community.forms import DigestForm


@require_POST
def digest_save(request: HttpRequest) -> HttpResponse:
    """Choose how often mails come, and where to."""
    assert isinstance(request.user, User)
    form = DigestForm(request.POST)
    if form.is_valid():
        choose_digest(request.user, **form.cleaned_data, language=get_language() or "en")
        messages.success(request, _("Saved."))
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect("community")


@require_http_methods(["GET", "HEAD", "POST"])
def digest_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether the address is right, and keep the answer: what reads mails for others follows links, too."""
    found = digest_of_token(token, "confirm")
    is_done = found is not None and request.method == "POST"
    if found is not None and is_done:
        confirm_digest(found)
    context = {"digest": found, "is_done": is_done, "is_confirmation": True}
    return render(request, "community/digest.html", context, status=404 if found is None else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def digest_stop(request: HttpRequest, token: str) -> HttpResponse:
    """End the mails."""
    found = digest_of_token(token, "stop")
    is_done = found is not None and request.method == "POST"
    if found is not None and is_done:
        stop_digest(found)
    context = {"digest": found, "is_done": is_done, "is_confirmation": False}
    return render(request, "community/digest.html", context, status=404 if found is None else 200)
