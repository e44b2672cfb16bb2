"""Organizations and their members, contacts, and who owns and shares which wallet. Nothing is deleted: rows end."""

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from dashboard.accounts.models import User

INVITATION_DAYS = timedelta(days=7)
DAILY, WEEKLY = "day", "week"
EVERY = (DAILY, WEEKLY)
QUESTION = "question"  # the period of the mail that asks whether the address is right
NOT_ENDED = Q(ended_at=None)


class MemberRole(StrEnum):
    """What a member may do: an owner manages members; an owner or trader operates wallets of the organization."""

    OWNER = "owner"
    TRADER = "trader"
    ANALYST = "analyst"
    VIEWER = "viewer"


class Level(StrEnum):
    """What a share of a wallet allows."""

    VIEW = "view"
    OPERATE = "operate"


ROLES = {
    MemberRole.OWNER: gettext_lazy("an owner"),
    MemberRole.TRADER: gettext_lazy("a trader"),
    MemberRole.ANALYST: gettext_lazy("an analyst"),
    MemberRole.VIEWER: gettext_lazy("a viewer"),
}
LEVELS = {Level.VIEW: gettext_lazy("to see it"), Level.OPERATE: gettext_lazy("to see and operate it")}


class Profile(models.Model):
    """What a person shows to others; without a row nothing. Acts up to `seen_at` were shown in the feed."""

    person = models.OneToOneField(User, on_delete=models.PROTECT, related_name="profile")
    is_listed = models.BooleanField(default=False)
    about = models.CharField(max_length=300, blank=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """One row a person."""

        db_table = "profiles"


class Contact(models.Model):
    """A person asked another to be a contact; since `accepted_at` they are. An ended row is history."""

    pair = models.CharField(max_length=50)  # both numbers, the smaller one first
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Of two people who ask each other at once, one row stands."""

        db_table = "contacts"
        constraints = (models.UniqueConstraint(fields=["pair"], condition=NOT_ENDED, name="one_contact_of_two_people"),)

    def other(self, person: User) -> User:
        """The one of the two that `person` is not."""
        found: User = self.asked if self.asked_by_id == person.pk else self.asked_by
        return found


class Block(models.Model):
    """A person does not want to hear of another: neither is shown to the other."""

    blocked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    blocked = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    blocked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """One that counts for two people."""

        db_table = "blocks"
        constraints = (
            models.UniqueConstraint(
                fields=["blocked_by", "blocked"], condition=NOT_ENDED, name="one_block_of_a_person"
            ),
        )


class Organization(models.Model):
    """A group of people who share wallets, notes and threads."""

    name = models.CharField(max_length=80, unique=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        """Found by name."""

        db_table = "organizations"


class Member(models.Model):
    """A person in an organization, from `joined_at` until `ended_at`."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="members")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10)
    joined_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Once at a time."""

        db_table = "members"
        constraints = (
            models.UniqueConstraint(fields=["organization", "person"], condition=NOT_ENDED, name="a_member_once"),
        )

    @property
    def role_word(self) -> str:
        """The role in the language of the page."""
        return str(ROLES[MemberRole(self.role)])


class MemberInvitation(models.Model):
    """A link by which one person joins an organization; only a hash of its token is kept."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=10)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    used_at = models.DateTimeField(null=True)

    class Meta:
        """Kept after use."""

        db_table = "member_invitations"

    @property
    def role_word(self) -> str:
        """The role in the language of the page."""
        return str(ROLES[MemberRole(self.role)])

    @classmethod
    def draft(cls, organization: Organization, role: MemberRole, by: User, at: Any) -> tuple["MemberInvitation", str]:
        """An invitation that is not saved yet, and its token, which is shown once."""
        token = secrets.token_urlsafe(24)
        expires_at = at + INVITATION_DAYS
        row = cls(
            organization=organization,
            token_hash=token_hash(token),
            role=role,
            created_by=by,
            created_at=at,
            expires_at=expires_at,
        )
        return row, token


class OrganizationNote(models.Model):
    """A note, or a selection of markets, that members share. A person's newer note of the same title replaces it."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=80)
    text = models.TextField(blank=True)
    instruments = models.JSONField(default=list)  # VENUE:SYMBOL; empty for a note
    written_at = models.DateTimeField()
    key = models.UUIDField(null=True, unique=True)  # that of the form, so that it is shared once

    class Meta:
        """Found by organization, newest first."""

        db_table = "organization_notes"
        indexes = (models.Index(fields=["organization", "-written_at"], name="notes_of_organization"),)


class WalletOwner(models.Model):
    """A wallet belongs to a person or an organization; one without a row that counts is open to everybody."""

    wallet = models.TextField()
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    organization = models.ForeignKey(Organization, null=True, on_delete=models.PROTECT, related_name="+")
    owned_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """One owner at a time."""

        db_table = "wallet_owners"
        constraints = (
            models.UniqueConstraint(fields=["wallet"], condition=NOT_ENDED, name="one_owner_of_a_wallet"),
            models.CheckConstraint(
                condition=Q(person=None, organization__isnull=False) | Q(person__isnull=False, organization=None),
                name="owner_is_one",
            ),
        )


class ApproverRule(models.Model):
    """Who approves live trading of a wallet has to be in an organization, with a role or one above it (SQL 0098).

    It counts while its owner is the owner.
    """

    owner = models.ForeignKey(WalletOwner, on_delete=models.PROTECT, related_name="approver_rules")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10)
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """One at a time."""

        db_table = "approver_rules"
        constraints = (
            models.UniqueConstraint(fields=["owner"], condition=NOT_ENDED, name="one_approver_rule_of_a_wallet"),
        )

    @property
    def role_word(self) -> str:
        """The role in the language of the page."""
        return str(ROLES[MemberRole(self.role)])


class WalletShare(models.Model):
    """An owner lets a person or an organization see, or operate, a wallet. It counts while its owner is the owner."""

    owner = models.ForeignKey(WalletOwner, on_delete=models.PROTECT, related_name="shares")
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    organization = models.ForeignKey(Organization, null=True, on_delete=models.PROTECT, related_name="+")
    level = models.CharField(max_length=10)
    shared_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Once with each."""

        db_table = "wallet_shares"
        constraints = (
            models.UniqueConstraint(fields=["owner", "person"], condition=NOT_ENDED, name="one_share_with_a_person"),
            models.UniqueConstraint(
                fields=["owner", "organization"], condition=NOT_ENDED, name="one_share_with_an_organization"
            ),
            models.CheckConstraint(
                condition=Q(person=None, organization__isnull=False) | Q(person__isnull=False, organization=None),
                name="share_is_with_one",
            ),
        )


class Digest(models.Model):
    """A person's choice of mails about the feed, until `ended_at`; nothing but a question goes to an address that is
    not confirmed. `key` signs the links of its mails. Times are UTC."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="digests")
    every = models.CharField(max_length=5)
    address = models.EmailField()
    language = models.CharField(max_length=5)
    key = models.CharField(max_length=64, default=secrets.token_urlsafe)
    chosen_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """One that counts a person."""

        db_table = "digests"
        constraints = (
            models.UniqueConstraint(fields=["person"], condition=NOT_ENDED, name="one_digest_of_a_person"),
            models.CheckConstraint(condition=Q(every__in=EVERY), name="digest_every"),
        )


class DigestMail(models.Model):
    """A mail of a period, written before it is sent. Without `sent_at` nobody knows whether it went out."""

    digest = models.ForeignKey(Digest, on_delete=models.PROTECT, related_name="mails")
    period = models.CharField(max_length=10)  # 2024-01-05, 2024-W01, or QUESTION
    begun_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        """One a period: of two processes one sends it."""

        db_table = "digest_mails"
        constraints = (models.UniqueConstraint(fields=["digest", "period"], name="one_mail_a_period"),)


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
