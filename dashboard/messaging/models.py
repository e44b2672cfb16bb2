"""Threads, who reads them, messages, and what was reported. Rows stay, also of a message that is hidden or erased."""

from django.db import models

from dashboard.accounts.models import User
from dashboard.community.models import NOT_ENDED, Organization

LONGEST_MESSAGE = 8000


class Thread(models.Model):
    """A conversation of its readers, or of all who are members of an organization."""

    title = models.CharField(max_length=100)
    organization = models.ForeignKey(Organization, null=True, on_delete=models.PROTECT, related_name="+")
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    key = models.UUIDField(null=True, unique=True)  # that of the form, so that it is started once

    class Meta:
        """Found by who reads it."""

        db_table = "threads"


class Reader(models.Model):
    """A person in a thread: how far it was read, and whether it is muted.

    In a thread of an organization the row keeps only that: who reads it goes by membership.
    """

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="readers")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    read_to = models.BigIntegerField(default=0)  # the last message that was shown
    is_muted = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Once in a thread."""

        db_table = "thread_readers"
        constraints = (models.UniqueConstraint(fields=["thread", "person"], condition=NOT_ENDED, name="a_reader_once"),)


class Message(models.Model):
    """What somebody wrote: Markdown as it was typed. `key` is that of the form, so that it is sent once."""

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="messages")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    key = models.UUIDField(unique=True)
    text = models.TextField()
    sent_at = models.DateTimeField()
    hidden_at = models.DateTimeField(null=True)  # by an admin, or by its author's erasure
    edited_at = models.DateTimeField(null=True)  # the last time; what stood before is in `versions`

    class Meta:
        """In the order of their numbers."""

        db_table = "messages"
        indexes = (models.Index(fields=["thread", "-id"], name="messages_of_thread"),)


class MessageVersion(models.Model):
    """What stood in a message until its author changed it: for admins, where it is reported, and for its author."""

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="versions")
    text = models.TextField()
    replaced_at = models.DateTimeField()

    class Meta:
        """In the order of their numbers."""

        db_table = "message_versions"
        ordering = ("id",)


class Report(models.Model):
    """Somebody asked the admins to look at a message; one of them hid it or kept it, with a reason."""

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="reports")
    reported_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    reported_at = models.DateTimeField()
    answered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    is_hidden = models.BooleanField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        """Each person reports a message once."""

        db_table = "message_reports"
        constraints = (models.UniqueConstraint(fields=["message", "reported_by"], name="a_report_once"),)
