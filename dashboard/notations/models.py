"""Notations: each row is a version of what a person says of a record; nothing is changed or deleted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, models, transaction

from dashboard.accounts.models import User
from dashboard.notations.subjects import Subject

RATINGS = (1, 2, 3, 4, 5)
LONGEST_TAG, MOST_TAGS, LONGEST_NOTE = 32, 8, 4000


@dataclass(frozen=True)
class Remark:
    """What a person says of a record; an empty one takes back what was said before."""

    rating: int | None = None
    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return self.rating is None and not self.tags and not self.note


class VersionConflict(Exception):
    """Another version was saved since the form was opened."""


class Notation(models.Model):
    """A version, from 1 on, of what `author` says of a record; the highest one counts.

    `subject` is the key of the record among those of its kind, `label` what it was called when this was written.
    """

    key = models.UUIDField(unique=True)
    kind = models.CharField(max_length=10)
    subject = models.TextField()
    label = models.TextField()
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField()
    written_at = models.DateTimeField()
    rating = models.PositiveSmallIntegerField(null=True)
    tags = ArrayField(models.CharField(max_length=LONGEST_TAG), default=list)
    note = models.TextField(blank=True)

    class Meta:
        """One row a version."""

        db_table = "notations"
        constraints = (
            models.UniqueConstraint(fields=["kind", "subject", "author", "version"], name="notation_version"),
            models.CheckConstraint(
                condition=models.Q(rating__isnull=True) | models.Q(rating__in=RATINGS), name="notation_rating"
            ),
        )

    @property
    def record(self) -> Subject:
        """The record that the notation is about."""
        return Subject(self.kind, self.subject)

    @property
    def remark(self) -> Remark:
        """Rating, tags and note of this version."""
        return Remark(self.rating, tuple(self.tags), self.note)

    @property
    def is_taken_back(self) -> bool:
        """Whether this version withdraws the remark."""
        return self.remark.is_empty


def newest_versions() -> Any:
    """The version of each record and author that counts, those that take back among them."""
    newer = Notation.objects.filter(
        kind=models.OuterRef("kind"),
        subject=models.OuterRef("subject"),
        author=models.OuterRef("author"),
        version__gt=models.OuterRef("version"),
    )
    return Notation.objects.filter(~models.Exists(newer))


def versions_of(subject: Subject) -> Any:
    """Every version of every author on a record, newest first."""
    return Notation.objects.filter(kind=subject.kind, subject=subject.key).select_related("author").order_by("-id")


def newest_of(subject: Subject, author: User) -> Notation | None:
    """The version of an author that counts, or None."""
    found: Notation | None = versions_of(subject).filter(author=author).order_by("-version").first()
    return found


def save_version(
    subject: Subject, remark: Remark, *, label: str, author: User, base: int, key: UUID, at: datetime
) -> Notation:
    """Add the version after `base`, the one that the author saw (0: none). The same form again is the same row.

    Raises:
        VersionConflict: another version was saved meanwhile, or the key is that of another remark. Nothing is saved.
    """
    try:
        with transaction.atomic():
            newest = newest_of(subject, author)
            if (newest.version if newest else 0) != base:
                raise VersionConflict
            saved: Notation = Notation.objects.create(
                key=key,
                kind=subject.kind,
                subject=subject.key,
                label=label,
                author=author,
                version=base + 1,
                written_at=at,
                rating=remark.rating,
                tags=list(remark.tags),
                note=remark.note,
            )
            return saved
    except (IntegrityError, VersionConflict):  # the constraint says so where two forms arrive at once
        sent_before: Notation | None = versions_of(subject).filter(key=key, author=author).first()
        if sent_before is None or sent_before.remark != remark:
            raise VersionConflict from None
        return sent_before
