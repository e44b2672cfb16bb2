"""Credits of the shop: an admin gives them, an item takes its price from the buyer and credits its owner."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.shop.models import GRANTED, Credit, Grant, Item


class NotEnoughCredits(Exception):
    """A person has fewer credits than an item takes."""


def credits_of(person: User) -> int:
    """How many credits a person has."""
    found: int | None = Credit.objects.filter(person=person).aggregate(sum=Sum("amount"))["sum"]
    return found or 0


def buy(item: Item, person: User, *, at: datetime) -> None:
    """Take an item's price from a person, give it to the owner, and the item to the person: all or nothing.

    Raises:
        NotEnoughCredits: nothing is changed.
        IntegrityError: the person asked for it before; nothing is changed.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)  # of two payments of a person one waits for the other
        if credits_of(person) < item.price:
            raise NotEnoughCredits
        Credit.objects.create(person=person, amount=-item.price, item=item, at=at)
        Credit.objects.create(person=item.owner, amount=item.price, item=item, at=at)
        row = Grant(item=item, person=person, asked_at=at, answered_at=at, state=GRANTED)
        value = {"item": item.pk, "credits": item.price}
        record_act(row, "item_granted", by=person, readers=[item.owner_id], value=value)


def give(person: User, amount: int, *, by: User, reason: str, key: UUID, at: datetime) -> None:
    """Give a person credits; the same form sent twice gives them once."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)
        if Credit.objects.filter(key=key).exists():
            return
        row = Credit(person=person, amount=amount, key=key, given_by=by.pseudo, reason=reason, at=at)
        record_act(row, "credits_given", by=by, readers=[person.pk], value={"credits": amount})
