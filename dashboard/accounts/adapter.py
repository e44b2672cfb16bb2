"""Settings of allauth in code: who may sign up, with which role, and how secrets of second factors are encrypted."""

import base64
import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.emailkit import valid_email_or_none
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.http import HttpRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from requests import RequestException

from dashboard.accounts.bounded_session import BoundedSession
from dashboard.accounts.changes import record_change
from dashboard.accounts.linking import link
from dashboard.accounts.models import ERASED, AccountChange, Invitation, User
from dashboard.accounts.provider import OpenIdRefused, has_signed_in_within
from dashboard.accounts.roles import Role
from dashboard.accounts.second_factor import SecondFactorUnreadable
from strades_pipelines.origins import is_loopback
from strades_pipelines.settings import settings

logger = logging.getLogger(__name__)
INVITATION = "invitation"  # key of the session that holds the token of the link that was followed


def no_account_yet() -> bool:
    """Whether nobody has an account: the next one is an admin's."""
    return not User.objects.exists()


def may_make_first_account(request: HttpRequest) -> bool:
    """Whether this visit may make the first account, an admin's, without an invitation.

    Only from this machine, and neither where a proxy lets others in, whose address is the proxy's, nor in the live
    world, which begins without accounts whatever the sandbox has.
    """
    is_alone = not django_settings.PUBLIC_ORIGINS and is_loopback(request.META.get("REMOTE_ADDR", ""))
    return is_alone and settings().world != "live"


class AccountAdapter(DefaultAccountAdapter):
    """Signing up: the first account is an admin's, later ones by the setting."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether the form is shown."""
        if no_account_yet():
            return may_make_first_account(request)
        mode = settings().dashboard_signup
        if mode == "open":
            return True
        token = request.session.get(INVITATION, "")
        return mode == "invitation" and bool(token) and Invitation.open_for(token).exists()

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """As allauth's; the name of an erased account stays its own: the audit and commands name people by it.

        Raises:
            ValidationError: somebody had the name.
        """
        name = str(super().clean_username(username, shallow=shallow))
        if not shallow and (name.startswith(ERASED) or AccountChange.objects.filter(by=name).exists()):
            raise ValidationError(_("Somebody has, or had, this name."))
        return name

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Save an account of the role that it is admitted with."""
        with admission(request, user):
            saved: User = super().save_user(request, user, form, commit=True)
            record_change(saved, f"made as {saved.role}", request=request)
        return saved

    def is_reauthentication_required(self, *, app: str, **names: Any) -> bool:
        """As allauth's; a person without password and second factor confirms by a recent sign-in at the provider.

        That this browser came back a moment ago is not enough: the provider must have asked the person then.
        """
        required: bool = super().is_reauthentication_required(app=app, **names)
        request = context.request
        if not required or get_reauthentication_flows(request.user):
            return required
        timeout = django_settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
        latest = {
            (record["provider"], record["uid"]): record["at"]
            for record in get_authentication_records(request, request.user)
            if record["method"] == "socialaccount" and time.time() - record["at"] < timeout
        }
        linked = SocialAccount.objects.filter(user=request.user)
        return not any(
            has_signed_in_within(timeout, account.extra_data, until=latest[account.provider, account.uid])
            for account in linked
            if (account.provider, account.uid) in latest
        )

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """As allauth's; a person who has none of them signs in at the provider again."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return methods or [{"id": "openid", "description": "", "url": reverse("openid_again")}]

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Allauth has the Host here, whose port the client may choose: each port would be a count of its own.
        return f"{self.get_client_ip(request)}:{credentials.get('username', '').lower()}"


class OpenIdAccountAdapter(DefaultSocialAccountAdapter):
    """Accounts of people who sign in through another provider: by the same rules, never the first one."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whether a person known to the provider, but not here, gets an account."""
        return not no_account_yet() and AccountAdapter(request).is_open_for_signup(request)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, str]) -> User:
        """Fill in what the provider says; the address is a note, not a proof."""
        user: User = sociallogin.user
        given, _blank, family = data.get("name", "").partition(" ")
        user.name, user.surname = (
            name.strip()[:100] for name in (data.get("given_name", given), data.get("surname", family))
        )
        user.email = valid_email_or_none(data.get("address")) or ""
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Link an account where that was requested; refuse, with a page, a confirmation that asked for no sign-in."""
        if request.user.is_authenticated and sociallogin.state.get("process") == AuthProcess.CONNECT:
            link(request, sociallogin)
            raise ImmediateHttpResponse(redirect("settings"))
        is_confirmation = request.user.is_authenticated and sociallogin.state.get("process") == AuthProcess.LOGIN
        timeout = django_settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
        if is_confirmation and not has_signed_in_within(timeout, sociallogin.account.extra_data):
            name = sociallogin.provider.name
            logger.warning("%s did not ask anybody to sign in again, or does not say when (auth_time)", name)
            told = {"name": name, "is_not_asked": True}
            raise ImmediateHttpResponse(render(request, "accounts/openid_failed.html", told, status=401))

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """Save an account under a name that is free, with its link to the provider."""
        user: User = sociallogin.user
        user.set_unusable_password()
        with admission(request, user):
            user.pseudo = _free_name(sociallogin.account.extra_data["name"].partition("@")[0])
            sociallogin.save(request)
            record_change(user, f"made as {user.role}", by="OpenID provider", request=request)
        return user

    def get_requests_session(self) -> BoundedSession:
        """The session for requests to the provider, allauth's and ours."""
        return BoundedSession()

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        """Where a person continues who was signed out before returning from the provider to link an account."""
        return str(reverse("settings"))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        """Say that it failed, with the reason where it is one of ours; what a provider answers may hold anything."""
        reason = str(exception) if isinstance(exception, OpenIdRefused) else type(exception or error).__name__
        if error != AuthError.CANCELLED:
            logger.warning("signing in through %s failed: %s", provider.name, reason)
        status = 401 if not isinstance(exception, RequestException) else 503
        told = {"name": provider.name, "is_cancelled": error == AuthError.CANCELLED, "is_down": status == 503}
        raise ImmediateHttpResponse(render(request, "accounts/openid_failed.html", told, status=status))


@contextmanager
def admission(request: HttpRequest, user: User) -> Iterator[None]:
    """Give a new account its role, and use up its invitation once the block has saved it. Sign-ups run one at a time.

    Raises:
        PermissionDenied: nobody may make an account so.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two first visitors at once would both become admins.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('strades.dashboard.signup'))")
        if no_account_yet():
            if not may_make_first_account(request):
                raise PermissionDenied
            user.role = Role.ADMIN
            yield
            return
        token = request.session.pop(INVITATION, "")
        invitation = Invitation.open_for(token).select_for_update().first() if token else None
        if invitation is None and settings().dashboard_signup != "open":
            raise PermissionDenied(_("This invitation was used or is too old."))
        user.role = invitation.role if invitation else Role.VIEWER
        yield
        if invitation is not None:
            Invitation.objects.filter(pk=invitation.pk).update(used_by=user, used_at=timezone.now())


def _free_name(wanted: str) -> str:
    """A name to sign in with that nobody has, made of the letters that one may have."""
    base = User.normalize_username("".join(letter for letter in wanted if letter.isalnum() or letter in "@.+-_"))
    base = base[:50] or "person"
    taken = {name.lower() for name in User.objects.filter(pseudo__istartswith=base).values_list("pseudo", flat=True)}
    return next(name for n in count(1) if (name := base if n == 1 else f"{base}-{n}").lower() not in taken)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of second factors are encrypted with a key that is not in the database: a backup does not give them."""

    def encrypt(self, text: str) -> str:
        """Fernet (AES-128-CBC and HMAC-SHA256), as text."""
        return str(_cipher().encrypt(text.encode()), "ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """The secret.

        Raises:
            SecondFactorUnreadable: it was encrypted with another key.
        """
        try:
            return str(_cipher().decrypt(encrypted_text.encode()), "utf-8")
        except InvalidToken:
            raise SecondFactorUnreadable from None


def _cipher() -> Fernet:
    # The prefix keeps this key apart from others that are derived from the same secret.
    key = hashlib.sha256(b"second factor:" + django_settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
