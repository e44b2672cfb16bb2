"""People's requests to Dagster with their outcomes, and their calendar feeds; tables of the schema `dashboard`."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from dashboard.accounts.models import User

WAITS, DONE, FAILED, UNKNOWN = "waits", "done", "failed", "unknown"
# A process that has not recorded an outcome by then was killed.
LONGEST_REQUEST = timedelta(minutes=2)


class DagsterRequest(models.Model):
    """One request of a person to Dagster. The key of its form is unique, so sending the form twice is one request.

    The row is committed before Dagster is called and its outcome after that. A row that stays without an outcome was
    interrupted in between; it is not carried out again.
    """

    key = models.UUIDField(unique=True)
    kind = models.CharField(max_length=20)
    target = models.CharField(max_length=300)
    arguments = models.JSONField(default=dict)
    reason = models.CharField(max_length=300)
    requested_by = models.CharField(max_length=100)
    requested_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, default=WAITS)
    outcome = models.CharField(max_length=400, blank=True)
    run_ids = models.JSONField(default=list)
    backfill_id = models.CharField(max_length=100, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """Table and constraints."""

        db_table = "dagster_requests"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=[WAITS, DONE, FAILED, UNKNOWN]), name="known_state_of_request"
            ),
        )

    @property
    def is_lost(self) -> bool:
        """Whether the outcome is unknown: Dagster did not answer, or the process that called it was killed."""
        return bool(
            self.state == UNKNOWN or (self.state == WAITS and timezone.now() - self.requested_at > LONGEST_REQUEST)
        )


class CalendarFeed(models.Model):
    """A URL at which a calendar reads the agenda without signing in; only a hash of its token is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="calendar_feeds")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """Revoked feeds stay in the table."""

        db_table = "calendar_feeds"

    @classmethod
    def issue(cls, user: User) -> tuple["CalendarFeed", str]:
        """Create a feed; return it with its token, which is not stored and so displayed once."""
        token = secrets.token_urlsafe(32)
        return cls.objects.create(user=user, token_hash=_hashed(token)), token

    @classmethod
    def open_for(cls, token: str) -> Any:
        """A query set with the feed of a token, empty if it is unknown or revoked."""
        return cls.objects.filter(token_hash=_hashed(token), revoked_at=None).select_related("user")


def _hashed(token: str) -> str:
    # A token is 256 random bits: a plain hash of it gives nothing to guess by.
    return hashlib.sha256(token.encode()).hexdigest()
