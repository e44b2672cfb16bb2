"""The way to another provider and back, and the link between an account here and one there."""

from allauth.account.decorators import reauthentication_required
from allauth.account.utils import get_next_redirect_url
from allauth.decorators import rate_limit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe
from requests import RequestException

from dashboard.accounts.linking import linked_accounts, refuse_second_link, unlink
from dashboard.accounts.provider import ASK_AGAIN, PROVIDER, OpenIdAdapter, OpenIdProvider


def _provider(request: HttpRequest) -> OpenIdProvider:
    """The provider of the settings; without one these pages are not there."""
    try:
        found: OpenIdProvider = get_adapter(request).get_provider(request, provider=PROVIDER)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    return found


def _leave(request: HttpRequest, process: str, next_url: str | None, **parameters: str) -> HttpResponse:
    """Lead the browser to the provider by a page of ours.

    A redirect in answer to a form would be refused by our own policy (`form-action`), and at each further one that the
    provider makes.
    """
    provider = _provider(request)
    try:
        away = provider.redirect(request, process, next_url, auth_params=dict(parameters))
    except (OAuth2Error, RequestException) as error:
        return render_authentication_error(request, provider, exception=error)
    if away.status_code != 302:
        return away
    response = render(request, "accounts/openid_leave.html", {"name": provider.name, "address": away["Location"]})
    response["Refresh"] = f"0;url={away['Location']}"
    return response


@require_POST
@rate_limit(action="login")
def openid_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in there; who is signed in already proves it once more."""
    again = ASK_AGAIN if request.user.is_authenticated else {}
    return _leave(request, AuthProcess.LOGIN, get_next_redirect_url(request), **again)


@require_GET
def openid_callback(request: HttpRequest) -> HttpResponse:
    """What the provider sends the browser back with."""
    provider = _provider(request)
    adapter = OpenIdAdapter(request, provider.app.provider_id)
    try:
        response: HttpResponse = OAuth2CallbackView.adapter_view(adapter)(request)
    except (OAuth2Error, RequestException) as error:  # before the view looks for them: it asks who the provider is
        return render_authentication_error(request, provider, exception=error)
    return response


@require_safe
def openid_again(request: HttpRequest) -> HttpResponse:
    """Ask somebody without password and second factor to sign in there once more."""
    context = {"name": _provider(request).name, "next": get_next_redirect_url(request) or reverse("settings")}
    return render(request, "accounts/openid_again.html", context)


@require_POST
@reauthentication_required(app="allauth.socialaccount")
def openid_connect(request: HttpRequest) -> HttpResponse:
    """Let an account there sign in to this one."""
    if linked_accounts(request.user).exists():
        refuse_second_link(request)
        return redirect("settings")
    return _leave(request, AuthProcess.CONNECT, reverse("settings"))


@require_POST
@reauthentication_required(app="allauth.socialaccount")
def openid_disconnect(request: HttpRequest) -> HttpResponse:
    """Undo that, but for who has no password: nobody could sign in any more."""
    if not request.user.has_usable_password():
        messages.error(request, _("Your account has no password, so it is the only way to sign in."))
    elif unlink(request):
        messages.success(request, _("It does not sign in to this account any more."))
    else:
        raise Http404
    return redirect("settings")
