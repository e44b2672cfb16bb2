"""What people asked of Dagster and what came of it; and their calendar feeds. In the schema `dashboard`."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from dashboard.accounts.models import User

WAITS, DONE, FAILED, UNKNOWN = "waits", "done", "failed", "unknown"
# Whoever carries a request out answers within this, or was killed.
LONGEST = timedelta(minutes=2)


class DagsterRequest(models.Model):
    """One act of a person: the key of its form makes it one, however often it is sent.

    It is committed before Dagster is asked, and its outcome after: one that stays without was killed in between, and
    nothing carries it out again.
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
        """Read newest first."""

        db_table = "dagster_requests"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=[WAITS, DONE, FAILED, UNKNOWN]), name="known_state_of_request"
            ),
        )

    @property
    def is_lost(self) -> bool:
        """Whether what came of it is not known: no answer, or nobody works on it any more."""
        return bool(self.state == UNKNOWN or (self.state == WAITS and timezone.now() - self.requested_at > LONGEST))


class CalendarFeed(models.Model):
    """An address at which a calendar reads the agenda without signing in; only a hash of its token is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="calendar_feeds")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """Kept after it was revoked."""

        db_table = "calendar_feeds"

    @classmethod
    def issue(cls, user: User) -> tuple["CalendarFeed", str]:
        """A new feed and its token, which is shown once."""
        token = secrets.token_urlsafe(32)
        return cls.objects.create(user=user, token_hash=_hashed(token)), token

    @classmethod
    def open_for(cls, token: str) -> Any:
        """The feeds of a token that were not revoked: one or none."""
        return cls.objects.filter(token_hash=_hashed(token), revoked_at=None).select_related("user")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
