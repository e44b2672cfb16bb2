"""The forms of the accounts. Every field says what it wants."""

import hashlib
from typing import Any
from zoneinfo import available_timezones

from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from dashboard.accounts.connections import STAY
from dashboard.accounts.models import User
from dashboard.accounts.roles import Role


class LoginForm(AllauthLoginForm):
    """Name, password, and whether to stay connected."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Name")
        self.fields["remember"].label = _("Stay connected for 30 days")
        self.fields["password"].help_text = ""

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """As allauth's; where a second factor is asked next, the choice to stay connected waits for it."""
        request.session[STAY] = self.cleaned_data["remember"]
        response: HttpResponse = super().login(request, redirect_url)
        return response


class SignupForm(AllauthSignupForm):
    """A new account."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Name to sign in with")


class ProfileForm(forms.ModelForm):
    """What a person says of himself, on top of what was stored when the page was opened."""

    data: Any
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = [(self.fields[name].label, getattr(self.instance, name)) for name in self.Meta.fields]
        self.is_outdated = False
        version = hashlib.sha256(repr([value for _label, value in self.stored]).encode()).hexdigest()
        self.initial["seen"] = version
        if self.is_bound and self.data.get("seen", version) != version:
            self.is_outdated = True
            self.data = self.data.copy()
            self.data["seen"] = version  # saved again it goes on top

    def clean(self) -> dict[str, Any]:
        """Refuse what was written on top of something else."""
        cleaned: dict[str, Any] = super().clean()
        if self.is_outdated:
            now = "; ".join(f"{label}: {value or '—'}" for label, value in self.stored)
            line = _(
                "Changed in another tab since this page was opened. Stored now: %(now)s. Save again to replace it."
            )
            raise forms.ValidationError(line % {"now": now})
        return cleaned

    class Meta:
        """The columns of the mission that a person fills in."""

        model = User
        fields = ("name", "surname", "email", "country_code", "address")


class RoleForm(forms.Form):
    """A role for an account or an invitation."""

    role = forms.ChoiceField(choices=[(role.value, role.value) for role in Role], label=_("Role"))


class PreferencesForm(forms.Form):
    """Language, theme and time zone; each may be sent alone."""

    language = forms.ChoiceField(choices=[("en", "English"), ("fr", "Français")], required=False)
    theme = forms.ChoiceField(choices=[(name, name) for name in ("light", "dark", "system")], required=False)
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(available_timezones())], required=False, label=_("Time zone")
    )
