"""Forms of passkeys: allauth's with texts of our own, which also refuse what no browser sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from allauth.mfa.webauthn import forms as allauth_forms
from allauth.mfa.webauthn import views as allauth_views
from django import forms
from django.conf import settings as django_settings
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

MOST_LETTERS = 100


@contextmanager
def _readable() -> Iterator[None]:
    """Refuse bytes that are no credential: the library raises whatever its reader stumbles over."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise forms.ValidationError(_("The browser sent no passkey that can be read. Try again.")) from error


class CredentialField(forms.JSONField):
    """The credential that the browser's script returned, in a hidden field; deeply nested JSON is refused too."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        """The value of the JSON, as Django's field has it."""
        with _readable():
            return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """The initial value: a form that is shown again does not contain what was sent."""
        return initial


class AddPasskeyForm(allauth_forms.AddWebAuthnForm):
    """A new passkey, and whether it signs in alone."""

    credential = CredentialField()

    def __init__(self, *arguments: Any, **names: Any) -> None:
        super().__init__(*arguments, **names)
        self.fields["name"].label = gettext_lazy("Name of this passkey")
        self.fields["name"].validators.append(MaxLengthValidator(MOST_LETTERS))
        self.fields["passwordless"].label = gettext_lazy("Sign in with it alone, without name and password")
        self.fields["passwordless"].help_text = gettext_lazy("The device then asks for its PIN, finger or face.")

    def clean(self) -> dict[str, Any]:
        """As allauth's, but whether the key signs in alone is what was ticked.

        A device may make a key that can sign in alone although none was requested, and then says so (`credProps.rk`).
        allauth takes that for the person's choice; here the tick in the form counts.
        """
        with _readable():
            cleaned: dict[str, Any] = super().clean()
            if cleaned.get("credential"):
                extension_results = {"credProps": {"rk": bool(cleaned.get("passwordless"))}}
                cleaned["credential"] = {**cleaned["credential"], "clientExtensionResults": extension_results}
        return cleaned


class _ReadableCredential:
    def clean_credential(self) -> Any:
        with _readable():
            return super().clean_credential()  # type: ignore[misc]


class AuthenticatePasskeyForm(_ReadableCredential, allauth_forms.AuthenticateWebAuthnForm):
    """A passkey as the second factor."""

    credential = CredentialField()


class ReauthenticatePasskeyForm(_ReadableCredential, allauth_forms.ReauthenticateWebAuthnForm):
    """A passkey to confirm that it is still the same person."""

    credential = CredentialField()


class LoginPasskeyForm(_ReadableCredential, allauth_forms.LoginWebAuthnForm):
    """A passkey in place of name and password, where its owner has allowed that."""

    credential = CredentialField()

    def clean_credential(self) -> Any:
        """As allauth's; refuses a passkey that was registered as a second factor."""
        found = super().clean_credential()
        if found.wrap().is_passwordless is not True:
            raise forms.ValidationError(_("This passkey is a second factor. Sign in with name and password first."))
        return found


def login_webauthn(request: HttpRequest) -> HttpResponseBase:
    """As allauth's; asking for a challenge counts as an attempt too, since each one makes a session."""
    # Other GETs make no session: they lead to the page to sign in, and a foreign page can have a browser send them.
    if request.method == "GET" and get_adapter().is_ajax(request):
        limited = ratelimit.consume_or_429(request, app="allauth.mfa", action="webauthn_login", limit_get=True)
        if limited:
            return limited
    answered: HttpResponseBase = allauth_views.login_webauthn(request)
    return answered


def address_for_passkeys(request: HttpRequest) -> str:
    """Where browsers make passkeys, if not at this page's address: they make them for a name, not for an IP address."""
    parts = urlsplit(f"//{request.get_host()}")
    try:
        is_loopback = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return ""
    names = [origin for origin in django_settings.PUBLIC_ORIGINS if origin.startswith("https://")]
    if is_loopback and not names:
        return f"http://localhost:{parts.port}" if parts.port else "http://localhost"
    return names[0] if names else "https://…"
