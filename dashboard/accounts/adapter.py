"""What allauth asks of this project: who may sign up and as what, and how secrets of second factors are kept."""

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.accounts.models import Invitation, User
from dashboard.accounts.roles import Role
from dashboard.accounts.second_factor import SecondFactorUnreadable
from strades_pipelines.origins import is_loopback
from strades_pipelines.settings import settings

INVITATION = "invitation"  # key of the session that holds the token of the link that was followed


def no_account_yet() -> bool:
    """Whether nobody has an account: the next one is an admin's."""
    return not User.objects.exists()


def may_make_first_account(request: HttpRequest) -> bool:
    """Whether this visit may make the first account, an admin's, without being asked for anything.

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

    @transaction.atomic
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Give the account its role and use up the invitation; of two first visits at once one is the first."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('strades.dashboard.signup'))")
        if no_account_yet():
            if not may_make_first_account(request):
                raise PermissionDenied
            user.role = Role.ADMIN
            return self._save(request, user, form)
        token = request.session.pop(INVITATION, "")
        invitation = Invitation.open_for(token).select_for_update().first() if token else None
        if invitation is None and settings().dashboard_signup != "open":
            raise PermissionDenied(_("This invitation was used or is too old."))
        user.role = invitation.role if invitation else Role.VIEWER
        made = self._save(request, user, form)
        if invitation is not None:
            Invitation.objects.filter(pk=invitation.pk).update(used_by=made, used_at=timezone.now())
        return made

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Allauth has the Host here, whose port the client may choose: each port would be a count of its own.
        return f"{self.get_client_ip(request)}:{credentials.get('username', '').lower()}"

    def _save(self, request: HttpRequest, user: User, form: Any) -> User:
        saved: User = super().save_user(request, user, form, commit=True)
        return saved


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
    key = hashlib.sha256(b"second factor:" + django_settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
