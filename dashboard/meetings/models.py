"""Events that people planned, and who was invited. Named meetings, since `ops.events` is the log of what happened."""

from enum import StrEnum

from django.db import models

from dashboard.accounts.models import User
from dashboard.community.models import Organization
from dashboard.meetings.recurrence import LONGEST_RULE


class Answer(StrEnum):
    """What a guest says."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"
    WAITING = "waiting"  # he would come, and there is no place


class Meeting(models.Model):
    """An event: when it begins first, by which rule it repeats in which zone, as of when its links show the data."""

    uid = models.CharField(max_length=200)
    title = models.CharField(max_length=100)
    text = models.TextField(blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    zone = models.CharField(max_length=64)  # IANA: a repeat keeps its hour on the clocks there
    rule = models.CharField(max_length=LONGEST_RULE, blank=True)  # RRULE of RFC 5545
    as_of = models.DateTimeField(null=True)
    called_off = models.JSONField(default=list)  # times of a repeat that do not take place: ISO 8601, UTC
    capacity = models.PositiveIntegerField(null=True)  # how many may come; None: as many as will
    organization = models.ForeignKey(Organization, null=True, on_delete=models.PROTECT, related_name="+")
    planned_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    planned_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        """A file that is read twice makes its events once."""

        db_table = "meetings"
        constraints = (models.UniqueConstraint(fields=["planned_by", "uid"], name="a_meeting_once"),)


class Guest(models.Model):
    """A person who was invited or answered, and how long before he is reminded."""

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="guests")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    answer = models.CharField(max_length=10, blank=True)
    answered_at = models.DateTimeField(null=True)
    reminder_minutes = models.PositiveIntegerField(null=True)

    class Meta:
        """Once an event."""

        db_table = "meeting_guests"
        constraints = (models.UniqueConstraint(fields=["meeting", "person"], name="a_guest_once"),)
