"""A person's own account: profile, preferences, connections."""

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings as django_settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.accounts.adapter import INVITATION
from dashboard.accounts.changes import record_change
from dashboard.accounts.connections import KEY, end
from dashboard.accounts.forms import PreferencesForm, ProfileForm
from dashboard.accounts.linking import linked_accounts
from dashboard.accounts.models import Connection, Invitation, User
from dashboard.middleware import THEME_COOKIE, TIME_ZONE_COOKIE

YEAR = 365 * 24 * 3600
SHOWN_CONNECTIONS = 20


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """Profile, preferences, second factor, and where this account is signed in."""
    with transaction.atomic():
        person = (
            User.objects.select_for_update(no_key=True).get(pk=request.user.pk)
            if request.method == "POST"
            else request.user
        )
        form = ProfileForm(request.POST or None, instance=person)
        if request.method == "POST" and form.is_valid():
            form.save()
            if changed := [name for name in form.Meta.fields if name in form.changed_data]:
                record_change(person, f"profile: {', '.join(changed)}", request=request)  # not what stands in it
            messages.success(request, _("Saved."))
            return redirect("settings")
    context = {
        "form": form,
        "preferences": PreferencesForm(initial={"time_zone": request.COOKIES.get(TIME_ZONE_COOKIE, "UTC")}),
        "connections": Connection.objects.filter(user=request.user).order_by("-started_at")[:SHOWN_CONNECTIONS],
        "current": request.session.get(KEY),
        "has_second_factor": is_mfa_enabled(request.user),
        "linked": linked_accounts(request.user),
    }
    return render(request, "accounts/settings.html", context, status=409 if form.is_outdated else 200)


@require_POST
@transaction.atomic
def connection_end(request: HttpRequest, connection_id: int) -> HttpResponse:
    """End one of one's own connections; another person's does not exist."""
    connection = get_object_or_404(Connection, pk=connection_id, user=request.user)
    if end(Connection.objects.filter(pk=connection.pk)):
        record_change(request.user, "connection ended", request=request)
    messages.success(request, _("That connection was ended."))
    return redirect("settings")


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep language, theme or time zone in cookies of this browser, and go back to the page."""
    form = PreferencesForm(request.POST)
    target = request.POST.get("next", "")
    response = redirect(target if url_has_allowed_host_and_scheme(target, allowed_hosts=None) else "today")
    if form.is_valid():
        chosen = {
            django_settings.LANGUAGE_COOKIE_NAME: form.cleaned_data["language"],
            THEME_COOKIE: form.cleaned_data["theme"],
            TIME_ZONE_COOKIE: form.cleaned_data["time_zone"],
        }
        for name, value in chosen.items():
            if value:
                secure = django_settings.BEHIND_TLS
                response.set_cookie(name, value, max_age=YEAR, httponly=True, samesite="Lax", secure=secure)
    return response


@require_GET
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Follow an invitation: the session remembers it, and the form to sign up opens."""
    if not Invitation.open_for(token).exists():
        return render(request, "accounts/invitation_closed.html", status=404)
    request.session[INVITATION] = token
    return redirect("account_signup")
