"""Items of the shop, who was given which, and reports; tables of the schema `dashboard`."""

from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from strades_pipelines.sharing.manifest import AnyManifest, Manifest, read_manifest

DRAFT, PUBLISHED, WITHDRAWN = "draft", "published", "withdrawn"
STATES = (DRAFT, PUBLISHED, WITHDRAWN)
FREE, CREDITS, BY_HAND = "free", "credits", "by_hand"
WAYS = (FREE, CREDITS, BY_HAND)
REQUESTED, GRANTED, DECLINED = "requested", "granted", "declined"
CLAIMS = {
    "total_return": gettext_lazy("Total return"),
    "cagr": gettext_lazy("Return a year (CAGR)"),
    "max_drawdown": gettext_lazy("Deepest drawdown"),
    "sharpe": gettext_lazy("Sharpe ratio"),
    "fills": gettext_lazy("Fills"),
    "fees": gettext_lazy("Fees"),
}


COUNTS = {
    "features": gettext_lazy("Features"),
    "values": gettext_lazy("Values"),
    "bodies": gettext_lazy("Answers"),
    "records": gettext_lazy("Records"),
    "rejects": gettext_lazy("Rows refused"),
    "cards": gettext_lazy("Cards"),
    "panels": gettext_lazy("Panels"),
}
KIND_WORDS = {
    "strategy": gettext_lazy("Strategy"),
    "feature_set": gettext_lazy("Feature set"),
    "protocol": gettext_lazy("Protocol"),
    "report_layout": gettext_lazy("Report layout"),
}


class Item(models.Model):
    """A bundle as somebody put it into the shop. `body` and `sha256` are those of its upload and never change.

    `manifest` is the text that its author signed. An item that an admin has hidden is seen by its owner and admins, and
    one that was published or reported by admins, whatever its owner does with it.
    """

    key = models.UUIDField(unique=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=40)
    version = models.CharField(max_length=14)
    author_key = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    body = models.BinaryField()
    manifest = models.TextField()
    way = models.CharField(max_length=10)
    price = models.PositiveIntegerField(default=0)  # credits; 0 where it takes none
    state = models.CharField(max_length=10, default=DRAFT)
    uploaded_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    hidden_because = models.CharField(max_length=300, blank=True)

    class Meta:
        """One version of a name for an author's key: nobody publishes two things under one name."""

        db_table = "shop_items"
        constraints = (
            models.UniqueConstraint(fields=["author_key", "name", "version"], name="shop_item_version"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="shop_item_state"),
            models.CheckConstraint(condition=Q(way__in=WAYS), name="shop_item_way"),
            models.CheckConstraint(
                condition=Q(way=CREDITS, price__gt=0) | (~Q(way=CREDITS) & Q(price=0)), name="shop_item_price"
            ),
            models.CheckConstraint(
                condition=Q(state=DRAFT) | Q(published_at__isnull=False), name="shop_item_published_at"
            ),
        )
        indexes = (models.Index(fields=["state", "-published_at"], name="shop_items_published"),)

    @property
    def said(self) -> AnyManifest:
        """What its author says of it, which its signature covered when it was taken in."""
        return read_manifest(bytes(self.manifest, "utf-8"))

    @property
    def kind_word(self) -> str:
        """What kind of bundle it is, in the page's language."""
        return str(KIND_WORDS[self.said.kind])

    @property
    def claims(self) -> list[tuple[str, Any, float | int | None]]:
        """The figures that a page shows: name, word, value; of a strategy those that one looks for, of others all."""
        said = self.said
        found = said.result.claims
        if isinstance(said, Manifest):
            return [(name, word, found.get(name)) for name, word in CLAIMS.items()]
        return [(name, COUNTS[name], value) for name, value in found.items() if name in COUNTS]

    def is_seen_by(self, person: User) -> bool:
        """Whether a person may know of it."""
        if self.owner_id == person.pk:
            return True
        if may_moderate(person) and (self.published_at or self.hidden_because or self.reports.exists()):
            return True  # also what its owner withdrew since
        if self.hidden_because:
            return False
        is_granted: bool = Grant.objects.filter(item=self, person=person, state=GRANTED).exists()
        return is_granted or bool(self.state == PUBLISHED)

    def is_held_by(self, person: User) -> bool:
        """Whether a person has the bundle itself."""
        if self.owner_id == person.pk:
            return True
        is_granted: bool = Grant.objects.filter(item=self, person=person, state=GRANTED).exists()
        return is_granted and not self.hidden_because


class Grant(models.Model):
    """That a person asked for an item, and what became of it."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="grants")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, default=REQUESTED)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        """One for each person and item."""

        db_table = "shop_grants"
        constraints = (
            models.UniqueConstraint(fields=["item", "person"], name="shop_grant_of_person"),
            models.CheckConstraint(condition=Q(state__in=(REQUESTED, GRANTED, DECLINED)), name="shop_grant_state"),
        )


class Credit(models.Model):
    """Credits that a person got (above zero) or paid (below). Rows are only added; what a person has is their sum."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    amount = models.IntegerField()
    item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="+")
    key = models.UUIDField(null=True)
    given_by = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    class Meta:
        """One row for a form of an admin, and one for each side of a payment."""

        db_table = "shop_credits"
        constraints = (
            models.UniqueConstraint(fields=["key"], name="shop_credit_key"),
            models.CheckConstraint(condition=~Q(amount=0), name="shop_credit_amount"),
        )


class Report(models.Model):
    """That a person holds an item to be harmful or false, for the admins."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="reports")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=300)
    reported_at = models.DateTimeField()

    class Meta:
        """One for each person and item; the words of the last one count."""

        db_table = "shop_reports"
        constraints = (models.UniqueConstraint(fields=["item", "person"], name="shop_report_of_person"),)


def visible_items(person: User) -> Any:
    """The items that a person may know of, newest first, without their bytes."""
    own, given = Q(owner=person), Q(grants__person=person, grants__state=GRANTED)
    seen = Q(hidden_because="") & (Q(state=PUBLISHED) | given)
    reported = Exists(Report.objects.filter(item=OuterRef("pk")))
    moderated = Q(published_at__isnull=False) | ~Q(hidden_because="") | reported
    moderated = moderated if may_moderate(person) else Q(pk__in=[])
    found = Item.objects.filter(own | seen | moderated).distinct().defer("body").select_related("owner")
    return found.order_by("-uploaded_at", "-id")


def open_reports(person: User) -> Any:
    """The reports of items that are not hidden, newest first, for who answers them; of others none."""
    found = Report.objects.filter(item__hidden_because="").select_related("item", "person")
    found = found.defer("item__body", "item__manifest").order_by("-reported_at", "-id")
    return found if may_moderate(person) else found.none()


def may_moderate(person: User) -> bool:
    """Whether a person answers reports."""
    return person.may(Role.ADMIN)
