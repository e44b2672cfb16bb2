"""What allauth asks of this project: who may sign up and as what, and how secrets of second factors are kept."""

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.accounts.models import Invitation, User
from dashboard.accounts.roles import Role
from strades_pipelines.settings import settings

INVITATION = "invitation"  # key of the session that holds the token of the link that was followed


def no_account_yet() -> bool:
    """Whether nobody has an account: the next one is made without being asked for anything, as an admin."""
    return not User.objects.exists()


class AccountAdapter(DefaultAccountAdapter):
    """Signing up: the first account is an admin's, later ones by the setting."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether the form is shown."""
        mode = settings().dashboard_signup
        if mode == "open" or no_account_yet():
            return True
        token = request.session.get(INVITATION, "")
        return mode == "invitation" and bool(token) and Invitation.open_for(token).exists()

    @transaction.atomic
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Give the account its role and use up the invitation; of two first visits at once one is the first."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('strades.dashboard.signup'))")
        if no_account_yet():
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

    def _save(self, request: HttpRequest, user: User, form: Any) -> User:
        saved: User = super().save_user(request, user, form, commit=True)
        return saved


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of second factors are encrypted with a key that is not in the database: a backup does not give them."""

    def encrypt(self, text: str) -> str:
        """Fernet (AES-128-CBC and HMAC-SHA256), as text."""
        return str(_cipher().encrypt(text.encode()), "ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; a key that was changed makes it unreadable."""
        return str(_cipher().decrypt(encrypted_text.encode()), "utf-8")


def _cipher() -> Fernet:
    key = hashlib.sha256(b"second factor:" + django_settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
