"""What the shop keeps of a person: for the file of one's own data, and its erasure."""

from base64 import b64encode
from typing import Any

from django.db.models import Q

from dashboard.accounts.models import ERASED, User
from dashboard.community.acts import PERSON, record_act
from dashboard.gateway.bundle_requests import read_own_requests
from dashboard.gateway.reading import snapshot
from dashboard.shop.models import GRANTED, PUBLISHED, REQUESTED, WITHDRAWN, Credit, Grant, Item, Report

ITEM = ("name", "version", "sha256", "way", "price", "state", "uploaded_at", "published_at", "hidden_because")
GRANT = ("item__name", "item__version", "item__sha256", "state", "asked_at", "answered_at")


def shop_data(person: User) -> dict[str, Any]:
    """All that the shop keeps of a person; times in UTC, bundles in base64. Of others nothing."""
    with snapshot():
        requests = read_own_requests(f"{PERSON}{person.pk}")
    items = Item.objects.filter(owner=person).order_by("pk")
    return {
        "items of the shop": [
            {**{name: getattr(item, name) for name in ITEM}, "bundle": b64encode(bytes(item.body)).decode()}
            for item in items
        ],
        "bundles asked for": list(Grant.objects.filter(person=person).order_by("pk").values(*GRANT)),
        "credits": list(
            Credit.objects.filter(person=person).order_by("pk").values("amount", "item__sha256", "reason", "at")
        ),
        "credits given": list(
            Credit.objects.filter(given_by=person.pseudo).order_by("pk").values("amount", "reason", "at")
        ),
        "reports of bundles": list(
            Report.objects.filter(person=person).order_by("pk").values("item__sha256", "reason", "reported_at")
        ),
        "bundles verified and installed": [
            {"kind": one.kind, "sha256": one.bundle_sha256, "at": one.requested_at, "outcome": one.outcome}
            for one in requests
        ],
    }


def erase_shop_data(person: User) -> None:
    """Withdraw what others were given, delete what nobody was, end what waits, and empty what the person wrote.

    Who was given a bundle keeps it, as with every withdrawal; credits stay, since sums of others rest on them.
    The caller has a transaction, and gives the account its number afterwards.
    """
    given = Grant.objects.filter(state=GRANTED).exclude(person=person).values("item")
    kept = Q(pk__in=given) | Q(pk__in=Credit.objects.filter(item__isnull=False).values("item"))
    for item in Item.objects.select_for_update().filter(owner=person, state=PUBLISHED):
        told = item.grants.filter(state__in=(GRANTED, REQUESTED)).values_list("person", flat=True)
        item.state = WITHDRAWN
        record_act(item, "item_withdrawn", by=person, readers=list(told), value={"sha256": item.sha256})
    Grant.objects.filter(Q(person=person) | Q(item__owner=person), state=REQUESTED).delete()
    Item.objects.filter(owner=person).exclude(kept).delete()
    Report.objects.filter(person=person).update(reason=ERASED)
    Credit.objects.filter(given_by=person.pseudo).update(given_by=f"{ERASED}{person.pk}", reason="")
