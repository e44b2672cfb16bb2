"""The shop: who sees and has what, what is refused, and that a claim is unverified until a run says the same.

Views of dashboard.shop.holding and tables of dashboard.shop.apps are reached through their pages.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.gateway import bundle_requests
from dashboard.shop import views
from dashboard.shop.credits import NotEnoughCredits, buy, credits_of
from dashboard.shop.forms import LARGEST_BUNDLE
from dashboard.shop.models import Grant, Item
from strades_pipelines.database.connection import connect
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle
from tests.dashboard.conftest import CLOCK, ClientOf, rows_of
from tests.sharing.conftest import bundle, key, shop
from tests.sharing.test_making_kinds import acme, headings
from tests.sharing.test_verification import signed

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["acme", "bundle", "headings", "key", "shop"]
EVENTS = "SELECT event_type_id, user_id, value->>'readers' FROM ops.events ORDER BY timestamp, event_type_id"
FINISH = "UPDATE ops.bundle_requests SET outcome = %s, detail = 'x', finished_at = now() WHERE outcome IS NULL"


def upload(client: "Client", body: bytes, way: str = "free", form_key: str = "", price: str = "") -> Any:
    """Send the form of a new item."""
    fields = {"key": form_key or str(uuid4()), "way": way, "price": price}
    return client.post("/shop/new/", {**fields, "file": SimpleUploadedFile("hold.zip", body)})


def published(client: "Client", body: bytes, way: str = "free", price: str = "") -> str:
    """The address of an item that is put into the shop and published."""
    address = str(upload(client, body, way, price=price)["Location"])
    client.post(f"{address}state/", {"state": "published"})
    return address


def person(name: str) -> str:
    """What events and requests call a person."""
    return f"person:{User.objects.get(pseudo=name).pk}"


def text(client: "Client", path: str) -> str:
    """A page that is there."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    return str(answer.content.decode())


def test_from_a_draft_to_a_granted_bundle(bundle: Bundle, client_of: ClientOf, site: str) -> None:
    ada, bob = client_of("analyst", "ada"), client_of("viewer", "bob", second_factor=False)
    answer = upload(ada, bundle.body, "by_hand")
    assert answer.status_code == 302
    address = answer["Location"]
    assert "Nobody has published a bundle yet" in text(bob, "/shop/")
    assert bob.get(address).status_code == bob.post(f"{address}ask/").status_code == 404
    assert "draft" in text(ada, "/shop/")

    ada.post(f"{address}state/", {"state": "published"})
    page = text(bob, address)
    assert "unverified" in page
    assert bundle.manifest.fingerprint in page
    assert "bars, targets" in page
    assert bob.get(f"{address}bundle.zip").status_code == 404
    assert [bob.post(f"{address}ask/").status_code for _ in range(2)] == [302, 302]
    assert "its owner has not answered yet" in text(bob, address)
    assert bob.post(f"{address}answer/", {"person": "bob", "verdict": "granted"}).status_code == 403
    ada.post(f"{address}answer/", {"person": "bob", "verdict": "granted"})
    assert bob.get(f"{address}bundle.zip").content == bundle.body

    ada.post(f"{address}state/", {"state": "withdrawn"})
    assert bob.get(f"{address}bundle.zip").content == bundle.body  # who has it keeps it
    assert client_of("viewer", "eve").get(address).status_code == 404
    ids = {person.pseudo: person.pk for person in User.objects.all()}
    both = json.dumps(sorted([ids["ada"], ids["bob"]]))
    told = [
        ("item_uploaded", f"person:{ids['ada']}", json.dumps([ids["ada"]])),
        ("item_published", f"person:{ids['ada']}", json.dumps([ids["ada"]])),
        ("item_requested", f"person:{ids['bob']}", both),
        ("item_granted", f"person:{ids['ada']}", both),
        ("item_withdrawn", f"person:{ids['ada']}", json.dumps([ids["ada"]])),
    ]
    assert sorted(rows_of(site, EVENTS)) == sorted(told)


def test_the_same_form_twice_is_one_item_and_a_version_is_there_once(
    bundle: Bundle, key: AuthorKey, client_of: ClientOf
) -> None:
    ada, form_key = client_of("analyst", "ada"), str(uuid4())
    first = upload(ada, bundle.body, form_key=form_key)
    assert upload(ada, bundle.body, form_key=form_key)["Location"] == first["Location"]
    other = upload(client_of("analyst", "eve"), bundle.body)
    assert other.status_code == 400
    assert "in the shop already" in other.content.decode()
    assert upload(ada, signed(bundle, key, version="1.0.1").body).status_code == 302
    assert Item.objects.count() == 2


def test_what_is_no_bundle_is_refused_with_the_reason(
    bundle: Bundle, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = client_of("analyst", "ada")
    flipped = bytearray(bundle.body)
    flipped[flipped.index(b"account.target")] ^= 1
    for body, said in ((bytes(flipped), "code/hold.py"), (b"x", "zip file"), (bytes(LARGEST_BUNDLE + 1), "240 kB")):
        answer = upload(ada, body)
        assert answer.status_code == 400
        assert said in answer.content.decode()
    monkeypatch.setattr(views, "MOST_ITEMS", 0)
    assert "more are not kept" in upload(ada, bundle.body).content.decode()
    assert Item.objects.count() == 0


def test_bundles_of_data_show_their_kind_files_and_counts_and_ask_for_nothing(
    acme: Bundle, headings: Bundle, client_of: ClientOf
) -> None:
    ada, bob = client_of("analyst", "ada"), client_of("analyst", "bob")
    protocol = published(ada, acme.body)
    answer = upload(ada, headings.body)
    assert answer.status_code == 400  # of the same author, name and version, though of another kind
    page = text(bob, protocol)
    for said in ("Protocol", "content/bodies/1.body", "symbol=BTC_USDT", "Records", "unverified"):
        assert said in page, said
    for absent in ("Parameters", "Sharpe", "code/"):
        assert absent not in page, absent
    assert "Protocol · " in text(bob, "/shop/")
    bob.post(f"{protocol}ask/")
    assert "nothing" in text(bob, f"{protocol}install/")


def test_a_claim_is_unverified_until_a_run_says_the_same(bundle: Bundle, client_of: ClientOf, site: str) -> None:
    ada, bob = client_of("analyst", "ada"), client_of("analyst", "bob")
    address = published(ada, bundle.body)
    assert bob.post(f"{address}verify/", {"key": str(uuid4())}).status_code == 404
    bob.post(f"{address}ask/")
    form_key = str(uuid4())
    for _ in range(2):
        assert bob.post(f"{address}verify/", {"key": form_key}).status_code == 302
    waiting = bob.get(address)
    assert waiting["Refresh"] == "3"
    assert "starts once strades up is running" in waiting.content.decode()
    asked = "SELECT kind, bundle_sha256, encode(sha256(body), 'hex'), requested_by, outcome FROM ops.bundle_requests"
    assert rows_of(site, asked) == [("verify", bundle.sha256, bundle.sha256, person("bob"), None)]
    ids = sorted(int(person(name).removeprefix("person:")) for name in ("ada", "bob"))
    told = [row for row in rows_of(site, EVENTS) if row[0] == "verification_requested"]
    assert told == [("verification_requested", person("bob"), json.dumps(ids))]  # the same form twice is one act
    who = waiting.content.decode().partition("Verified and installed")[2]
    assert ">bob</td>" in who
    User.objects.filter(pseudo="bob").update(pseudo="erased-2")
    assert ">erased-2</td>" in text(ada, address).partition("Verified and installed")[2]
    for outcome, shown in (("data not here", "unverified"), ("verified", "✓ verified"), ("differs", "■ differs")):
        bob.post(f"{address}verify/", {"key": str(uuid4())})
        with connect(site) as trading:
            trading.execute(FINISH, [outcome])
        listed = text(ada, "/shop/")
        assert shown in " ".join(listed.split()), outcome


def test_installing_asks_for_consent_and_says_what_the_code_asks_for(
    bundle: Bundle, client_of: ClientOf, site: str
) -> None:
    ada = client_of("analyst", "ada")
    address = published(ada, bundle.body)
    page = text(ada, f"{address}install/")
    assert "says what to hold" in page
    assert "This is the sandbox world." in page
    assert ada.post(f"{address}install/", {"key": str(uuid4())}).status_code == 400
    assert ada.post(f"{address}install/", {"key": str(uuid4()), "read": "on"}).status_code == 302
    assert rows_of(site, "SELECT kind, requested_by FROM ops.bundle_requests") == [("install", person("ada"))]
    assert ("installation_requested", person("ada")) in [row[:2] for row in rows_of(site, EVENTS)]


def test_a_person_asks_for_ten_an_hour(bundle: Bundle, client_of: ClientOf, site: str) -> None:
    address = published(ada := client_of("analyst", "ada"), bundle.body)
    for _ in range(bundle_requests.MOST_AN_HOUR + 2):
        ada.post(f"{address}verify/", {"key": str(uuid4())})
    assert rows_of(site, "SELECT count(*) FROM ops.bundle_requests") == [(bundle_requests.MOST_AN_HOUR,)]
    assert "10 an hour at most" in text(ada, address)
    later: dict[str, Any] = {"key": uuid4(), "sha256": bundle.sha256, "body": b"", "by": person("ada")}
    later["at"] = CLOCK + timedelta(hours=2)
    assert [bundle_requests.ask("verify", **later) for _ in range(2)] == ["new", "known"]
    assert bundle_requests.ask("install", **later) == "too many"  # the key of another act
    asked = [row for row in rows_of(site, EVENTS) if row[0] == "verification_requested"]
    assert len(asked) == bundle_requests.MOST_AN_HOUR  # by the page


def test_credits_move_with_the_grant_and_never_below_zero(
    bundle: Bundle, key: AuthorKey, client_of: ClientOf, site: str
) -> None:
    ada, bob, eve = client_of("analyst", "ada"), client_of("viewer", "bob"), client_of("admin", "eve")
    assert upload(ada, bundle.body, "credits").status_code == upload(ada, bundle.body, "free", price="3").status_code
    assert Item.objects.count() == 0
    first = published(ada, bundle.body, "credits", "3")
    second = published(ada, signed(bundle, key, version="1.0.1").body, "credits", "3")
    bob.post(f"{first}ask/")
    assert "You have fewer credits" in text(bob, first)
    assert bob.get(f"{first}bundle.zip").status_code == 404
    form = {"key": str(uuid4()), "person": "bob", "amount": "5", "reason": "welcome"}
    assert bob.post("/shop/credits/", form).status_code == 403
    assert eve.post("/shop/credits/", {**form, "person": "nobody"}).status_code == 400
    assert eve.post("/shop/credits/", {**form, "amount": "-5"}).status_code == 400
    assert [eve.post("/shop/credits/", form).status_code for _ in range(2)] == [302, 302]
    assert "Get it for 3 credits" in text(bob, first)
    assert "You have 5 credits." in text(bob, first)
    for _ in range(2):
        bob.post(f"{first}ask/")
    assert bob.get(f"{first}bundle.zip").status_code == 200
    refused = ada.post(f"{first}answer/", {"person": "bob", "verdict": "declined"})  # it was paid for
    assert (refused.status_code, bob.get(f"{first}bundle.zip").status_code) == (404, 200)
    assert "Decline</button>" not in text(ada, first)
    bob.post(f"{second}ask/")  # with 2 left
    assert bob.get(f"{second}bundle.zip").status_code == 404
    has = {person.pseudo: credits_of(person) for person in User.objects.all()}
    assert has == {"ada": 3, "bob": 2, "eve": 0}
    assert "welcome (eve)" in text(eve, "/shop/credits/")


def test_of_two_payments_at_once_one_is_refused(bundle: Bundle, key: AuthorKey, client_of: ClientOf) -> None:
    ada = client_of("analyst", "ada")
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        published(ada, signed(bundle, key, version=version).body, "credits", "3")
    client_of("viewer", "bob")
    bob, eve = User.objects.get(pseudo="bob"), client_of("admin", "eve")
    eve.post("/shop/credits/", {"key": str(uuid4()), "person": "bob", "amount": "4", "reason": "x"})
    together = Barrier(3)

    def pay(item: Item) -> bool:
        together.wait(10)
        try:
            buy(item, bob, at=CLOCK)
        except NotEnoughCredits:
            return False
        finally:
            connections["default"].close()
        return True

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(pay, list(Item.objects.select_related("owner")))) == [False, False, True]
    assert (credits_of(bob), Grant.objects.filter(person=bob).count()) == (1, 1)


def test_an_admin_hides_what_was_reported_and_its_owner_sees_why(
    bundle: Bundle, client_of: ClientOf, site: str
) -> None:
    ada, bob, eve = client_of("analyst", "ada"), client_of("viewer", "bob"), client_of("admin", "eve")
    address = published(ada, bundle.body)
    bob.post(f"{address}ask/")
    for reason in ("it is mine", "<script>it is mine</script>"):
        bob.post(f"{address}report/", {"reason": reason})
    assert "&lt;script&gt;it is mine" in text(eve, address)
    assert "it is mine" not in text(ada, address)
    assert "&lt;script&gt;it is mine" in text(eve, "/shop/")
    assert "it is mine" not in text(bob, "/shop/")
    assert "Reports of bundles stand in the shop" in text(eve, "/messages/reports/")
    ids = sorted(int(person(name).removeprefix("person:")) for name in ("bob", "eve"))
    assert ("item_reported", person("bob"), json.dumps(ids)) in rows_of(site, EVENTS)  # the admins are told
    ada.post(f"{address}state/", {"state": "withdrawn"})  # which keeps no admin from it
    assert "&lt;script&gt;it is mine" in text(eve, address)
    assert address in text(eve, "/shop/")
    assert ada.post(f"{address}hide/", {"reason": "x"}).status_code == 403
    eve.post(f"{address}hide/", {"reason": "stolen code"})
    assert bob.get(address).status_code == bob.get(f"{address}bundle.zip").status_code == 404
    assert "hold" not in text(bob, "/shop/").partition("<tbody>")[2]
    assert "stolen code" in text(ada, address)
    eve.post(f"{address}hide/", {"show": "1"})
    assert bob.get(f"{address}bundle.zip").status_code == 200


def test_somebody_elses_item_is_changed_by_nobody(bundle: Bundle, client_of: ClientOf) -> None:
    address = published(client_of("analyst", "ada"), bundle.body)
    eve = client_of("admin", "eve")
    assert eve.post(f"{address}state/", {"state": "withdrawn"}).status_code == 404
    assert eve.post(f"{address}answer/", {"person": "eve", "verdict": "granted"}).status_code == 404
    for path in ("/shop/99999999999999999999999/", "/shop/0/", "/shop/?words=%00&page=99999999999"):
        assert eve.get(path).status_code in (200, 404), path
    assert Item.objects.get().state == "published"


def test_an_act_that_cannot_be_stored_leaves_no_event(bundle: Bundle, client_of: ClientOf, site: str) -> None:
    published(client_of("analyst", "ada"), bundle.body)
    before = rows_of(site, EVENTS)
    ada = User.objects.get(pseudo="ada")
    row = Grant(item=Item.objects.get(), person=ada, asked_at=CLOCK, state="stolen")
    with pytest.raises(Exception, match="shop_grant_state"):
        record_act(row, "item_granted", by=ada)
    with pytest.raises(Exception, match="event_types"):
        record_act(Grant(item=Item.objects.get(), person=ada, asked_at=CLOCK), "no_such_kind", by=ada)
    assert (rows_of(site, EVENTS), Grant.objects.count()) == (before, 0)


def test_a_page_asks_as_much_for_one_item_as_for_many(bundle: Bundle, key: AuthorKey, client_of: ClientOf) -> None:
    ada, bob = client_of("analyst", "ada"), client_of("viewer", "bob")
    counts = []
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        published(ada, signed(bundle, key, version=version).body)
        with (
            CaptureQueriesContext(connections["default"]) as default,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            page = text(bob, "/shop/")
        counts.append(len(default) + len(layers))
    assert page.count("unverified") == 3
    assert counts[1] == counts[2] <= 12
