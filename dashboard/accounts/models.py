"""Accounts, their connections, and invitations, in the schema `dashboard`.

`user_logging_info` and `user_log_info` have the names and columns that the project's user gave them.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dashboard.accounts.roles import NEEDS_SECOND_FACTOR, Right, Role, holders

SESSION_HOURS, REMEMBERED_DAYS = timedelta(hours=12), timedelta(days=30)
INVITATION_DAYS = timedelta(days=7)
ERASED = "erased-"  # and the number: the name of an account whose person was erased


class UserManager(BaseUserManager):
    """Makes accounts and finds them by name."""

    def create_user(self, pseudo: str, password: str, *, role: Role, email: str = "") -> "User":
        """A new account; the caller has checked name and password."""
        user: User = self.model(pseudo=self.model.normalize_username(pseudo), email=email, role=role)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """An account. Its address is seen by itself and by an admin."""

    id = models.BigAutoField(primary_key=True, db_column="UserID")
    pseudo = models.CharField(
        _("name to sign in with"),
        max_length=64,
        unique=True,
        db_column="Pseudo",
        validators=[UnicodeUsernameValidator()],
    )
    email = models.EmailField(_("e-mail"), blank=True, db_column="Email")
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_column="DateCreationAccount")
    country_code = models.CharField(
        _("country (two letters)"),
        max_length=2,
        blank=True,
        db_column="CountryCode",
        validators=[RegexValidator(r"\A[A-Z]{2}\Z", _("Expected two capital letters, as FR."))],
    )
    address = models.CharField(_("address"), max_length=300, blank=True, db_column="Address")
    name = models.CharField(_("given name"), max_length=100, blank=True, db_column="Name")
    surname = models.CharField(_("family name"), max_length=100, blank=True, db_column="Surname")
    last_login = models.DateTimeField(null=True, blank=True, editable=False, db_column="LastConnection")
    role = models.CharField(
        max_length=10, choices=[(role.value, role.value) for role in Role], default=Role.VIEWER.value
    )
    is_active = models.BooleanField(default=True)

    objects = UserManager()
    USERNAME_FIELD, EMAIL_FIELD = "pseudo", "email"
    REQUIRED_FIELDS: tuple[str, ...] = ()

    class Meta:
        """The mission's table."""

        db_table = "user_logging_info"
        constraints = (
            models.CheckConstraint(condition=models.Q(role__in=[role.value for role in Role]), name="known_role"),
        )

    def may(self, needed: Role | Right) -> bool:
        """Whether this account has the rights of a role, or this right."""
        return self.is_active and Role(self.role) in holders(needed)

    @property
    def needs_second_factor(self) -> bool:
        """Whether its role asks for a second factor."""
        return Role(self.role) in NEEDS_SECOND_FACTOR

    @property
    def is_erased(self) -> bool:
        """Whether its person was erased; nobody else can take such a name."""
        return str(self.pseudo).startswith(ERASED)

    def get_short_name(self) -> str:
        """The name that pages show."""
        return str(self.pseudo)


class Connection(models.Model):
    """One signing in: from then until it ended, or was last seen. Rows stay: `user_log_info` counts them."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="connections")
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    is_remembered = models.BooleanField(default=False)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        """Found by account, newest first."""

        db_table = "connections"
        indexes = (models.Index(fields=["user", "-started_at"], name="connections_of_user"),)

    def is_over(self, now: datetime) -> bool:
        """Whether it was ended, or began too long ago: the cookie alone would be renewed with each visit."""
        allowed = REMEMBERED_DAYS if self.is_remembered else SESSION_HOURS
        return self.ended_at is not None or now - self.started_at > allowed


class AccountChange(models.Model):
    """What was done to an account, and by whom: `audit.account_changes` of the SQL migrations.

    The table is the application's, not the dashboard's, which may only add rows; the database chains them by hashes.
    """

    sequence = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, db_column="changed_at")
    by = models.CharField(max_length=100, db_column="changed_by")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="changes", db_constraint=False)
    what = models.CharField(max_length=100, db_column="change")
    address = models.GenericIPAddressField(null=True)

    class Meta:
        """Neither made nor changed by Django."""

        db_table = '"audit"."account_changes"'
        managed = False


class Invitation(models.Model):
    """A link that makes one account of a role; only a hash of its token is kept."""

    token_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=10, choices=[(role.value, role.value) for role in Role])
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_by = models.OneToOneField(User, null=True, on_delete=models.SET_NULL, related_name="+")
    used_at = models.DateTimeField(null=True)

    class Meta:
        """Kept after use, to say who let whom in."""

        db_table = "invitations"

    @classmethod
    def issue(cls, *, role: Role, by: User) -> tuple["Invitation", str]:
        """A new invitation and its token, which is shown once."""
        token = secrets.token_urlsafe(24)
        expires_at = timezone.now() + INVITATION_DAYS
        made = cls.objects.create(token_hash=_hashed(token), role=role, created_by=by, expires_at=expires_at)
        return made, token

    @classmethod
    def open_for(cls, token: str) -> Any:
        """The invitations of a token that can still be used: one or none."""
        return cls.objects.filter(token_hash=_hashed(token), used_at=None, expires_at__gt=timezone.now())


def _hashed(token: str) -> str:
    # A token is long and random: a fast hash gives nothing away.
    return hashlib.sha256(token.encode()).hexdigest()
