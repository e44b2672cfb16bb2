"""Forms of passkeys: allauth's, with words of ours, and with an answer to what no browser sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.webauthn import forms as allauth_forms
from django import forms
from django.conf import settings as django_settings
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest
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
    """What the browser's script found, in a hidden field; `[[[[…` is refused like any other text."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        """As Django's."""
        with _readable():
            return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Nothing that was sent is sent back."""
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
        """As allauth's."""
        with _readable():
            cleaned: dict[str, Any] = super().clean()
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
    """A passkey in place of name and password."""

    credential = CredentialField()


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
