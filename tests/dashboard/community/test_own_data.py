"""One's data as a file, and erased: nothing of a person is left but what he did, under a number.

Tried through the pages: dashboard.community.own_data_views, dashboard.shop.personal_data.
"""

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount

from dashboard.accounts.models import User
from dashboard.community.contacts import Refused, contacts_of, directory, save_profile
from dashboard.community.models import Level, MemberRole
from dashboard.community.organizations import create_organization, invite, join, member_ids, membership, share_note
from dashboard.community.own_data import erase
from dashboard.community.wallets import give_wallet, owner_of, share_wallet
from dashboard.messaging.threads import send_message, start_thread
from dashboard.notations.models import Notation
from dashboard.shop.credits import credits_of, give
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import CLOCK, PASSWORD, ClientOf, rows_of
from tests.dashboard.test_shop import published, upload
from tests.sharing.conftest import bundle, key, shop
from tests.sharing.test_verification import signed

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["bundle", "key", "shop"]
SECRET = "zyxwv"  # in all that bob writes
TABLES = """
    SELECT tablename FROM pg_tables
    WHERE schemaname = 'dashboard' AND tablename NOT IN ('django_session', 'django_migrations')
"""


@pytest.fixture
def browsers(client_of: ClientOf) -> dict[str, "Client"]:
    """Bob wrote something everywhere; ada is his contact and in his organization, eve an admin."""
    made = {name: client_of(role, name) for name, role in (("ada", "viewer"), ("bob", "analyst"), ("eve", "admin"))}
    ada, bob = person("ada"), person("bob")
    User.objects.filter(pk=bob.pk).update(email=f"{SECRET}@example.org", name=SECRET, address=SECRET)
    make_contacts(ada, bob)
    save_profile(bob, is_listed=True, about=SECRET)
    desk = create_organization(ada, "Desk")
    mine = membership(ada, desk.pk)
    assert mine is not None
    join(bob, invite(mine, MemberRole.ANALYST))
    theirs = membership(bob, desk.pk)
    assert theirs is not None
    share_note(theirs, title=SECRET, text=SECRET, instruments=[])
    create_organization(bob, f"{SECRET} alone")
    SocialAccount.objects.create(user=bob, provider="x", uid=f"{SECRET}@sub", extra_data={"email": SECRET})
    Authenticator.objects.create(user=bob, type="webauthn", data={"name": SECRET})
    thread = start_thread(bob, title=f"{SECRET} plan", people=[ada], organization=None)
    send_message(bob, thread, text=f"{SECRET} to ada", key=uuid4())
    send_message(ada, thread, text="an answer", key=uuid4())
    form = {"title": SECRET, "starts": "2024-01-05T10:00", "minutes": "45", "zone": "UTC", "text": SECRET}
    assert made["bob"].post("/events/new/", form).status_code == 302
    return made


def places_of(site: str, text: str) -> list[str]:
    """The tables of the dashboard that have a text anywhere."""
    found = []
    with psycopg.connect(site) as owner:
        for (name,) in owner.execute(TABLES).fetchall():
            query = f"SELECT 1 FROM dashboard.{name} AS r WHERE strpos(r::text, %s) > 0 LIMIT 1"
            found += [name] * len(owner.execute(query, [text]).fetchall())
    return found


def test_the_file_has_all_that_a_person_wrote_and_nothing_of_others(browsers: dict[str, "Client"]) -> None:
    answer = browsers["bob"].get("/settings/data.json")
    document: dict[str, Any] = json.loads(answer.content)
    for part in ("account", "profile", "notes", "messages", "events", "organizations", "threads started",
                 "sign-in by a provider"):  # fmt: skip
        assert SECRET in json.dumps(document[part]), part
    assert document["contacts"][0]["with"] == "ada"
    assert "an answer" not in answer.content.decode()
    assert "password" not in answer.content.decode()


def test_the_file_has_tags_shares_and_commands_with_their_reasons(
    traded: psycopg.Connection[Any], client_of: ClientOf
) -> None:
    browsers = {name: client_of(role, name) for name, role in (("ada", "trader"), ("bob", "trader"), ("eve", "admin"))}
    ada, bob = person("ada"), person("bob")
    make_contacts(ada, bob)
    give_wallet(person("eve"), "paper", to=bob)
    owner = owner_of("paper")
    assert owner is not None
    share_wallet(bob, owner, to=ada, level=Level.VIEW)
    Notation.objects.create(key=uuid4(), kind="wallet", subject="paper", label="paper", author=bob, version=1,
                            written_at=CLOCK, tags=["mine"])  # fmt: skip
    form = {"scope": "wallet:paper", "reason": "the feed was late", "key": uuid4()}
    assert browsers["bob"].post("/halt/", form).status_code == 302
    document = json.loads(browsers["bob"].get("/settings/data.json").content)
    [share], [command], [notation] = document["wallets shared"], document["commands"], document["notations"]
    assert (share["owner__wallet"], share["person__pseudo"]) == ("paper", "ada")
    assert (command["kind"], command["reason"], notation["tags"]) == ("halt", "the feed was late", ["mine"])
    theirs = json.loads(browsers["ada"].get("/settings/data.json").content)
    assert [one["owner__wallet"] for one in theirs["wallets shared with me"]] == ["paper"]
    assert theirs["commands"] == []


def test_an_erased_person_is_a_number_and_what_he_wrote_is_gone(browsers: dict[str, "Client"], site: str) -> None:
    bob = person("bob")
    assert len(places_of(site, SECRET)) >= 5
    page = "/settings/erase/"
    assert "/account/again/" in browsers["bob"].get(page)["Location"]  # the password first
    browsers["bob"].post("/account/again/", {"password": PASSWORD})
    assert browsers["bob"].post(page, {"name": "ada"}).status_code == 400
    assert person("bob").is_active
    assert browsers["bob"].post(page, {"name": "bob"}).status_code == 302
    assert browsers["bob"].get("/community/").status_code == 302
    assert places_of(site, SECRET) == []
    bob.refresh_from_db()
    assert (bob.pseudo, bob.is_active, bob.has_usable_password()) == (f"erased-{bob.pk}", False, False)
    assert contacts_of(person("ada")) == directory(person("ada")) == []
    assert len(member_ids(create_organization(person("ada"), "Other"))) == 1
    thread = browsers["ada"].get("/messages/").content.decode()
    assert "erased" in thread
    with psycopg.connect(site) as owner:
        for table in ("mfa_authenticator", "socialaccount_socialaccount"):
            query = f"SELECT count(*) FROM dashboard.{table} WHERE user_id = %s"
            assert owner.execute(query, [bob.pk]).fetchone() == (0,)
    assert rows_of(site, f"SELECT count(*) > 3 FROM ops.events WHERE user_id = 'person:{bob.pk}'") == [(True,)]


def test_what_only_he_could_hand_on_keeps_him(browsers: dict[str, "Client"]) -> None:
    with pytest.raises(Refused, match="owner"):
        erase(person("ada"))
    with pytest.raises(Refused, match="admin"):
        erase(person("eve"))
    assert person("ada").is_active
    assert person("eve").is_active


def test_the_name_of_an_erased_person_is_nobody_elses(browsers: dict[str, "Client"], client_of: ClientOf,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from dashboard.accounts.changes import record_change
    from strades_pipelines.settings import settings

    record_change(person("bob"), "password changed")
    erase(person("bob"))
    monkeypatch.setenv("STRADES_DASHBOARD_SIGNUP", "open")
    settings.cache_clear()
    for name, status in (("bob", 200), ("erased-999", 200), ("carol", 302)):
        form = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
        assert client_of(None).post("/account/sign-up/", form).status_code == status, name


def text(client: "Client", path: str) -> str:
    return str(client.get(path).content.decode())


@pytest.fixture
def items(browsers: dict[str, "Client"], bundle: Bundle, key: AuthorKey) -> dict[str, str]:
    """Addresses of bob's items: one that ada was given, one that she waits for, a draft. He reported one of eve's."""
    bob, ada, eve = browsers["bob"], browsers["ada"], browsers["eve"]
    found = {"given": published(bob, bundle.body, "credits", "2")}
    give(person("ada"), 5, by=person("bob"), reason=SECRET, key=uuid4(), at=CLOCK)
    ada.post(f"{found['given']}ask/")
    found["waits"] = published(bob, signed(bundle, key, version="1.0.1", title=SECRET).body, "by_hand")
    ada.post(f"{found['waits']}ask/")
    found["draft"] = upload(bob, signed(bundle, key, version="1.0.2", title=SECRET).body)["Location"]
    found["of eve"] = published(eve, signed(bundle, key, version="1.0.3").body, "by_hand")
    bob.post(f"{found['of eve']}report/", {"reason": SECRET})
    bob.post(f"{found['of eve']}ask/")
    bob.post(f"{found['given']}verify/", {"key": str(uuid4())})
    return found


def test_the_file_has_the_bundles_of_a_person_and_what_he_did_in_the_shop(
    browsers: dict[str, "Client"], items: dict[str, str], bundle: Bundle
) -> None:
    found = json.loads(browsers["bob"].get("/settings/data.json").content)
    states = [(one["version"], one["state"]) for one in found["items of the shop"]]
    assert states == [("1.0.0", "published"), ("1.0.1", "published"), ("1.0.2", "draft")]
    assert b64decode(found["items of the shop"][0]["bundle"]) == bundle.body
    assert [one["state"] for one in found["bundles asked for"]] == ["requested"]
    assert [one["amount"] for one in found["credits"]] == [2]
    assert [one["amount"] for one in found["credits given"]] == [5]
    assert [one["reason"] for one in found["reports of bundles"]] == [SECRET]
    assert [(one["kind"], one["outcome"]) for one in found["bundles verified and installed"]] == [("verify", None)]
    theirs = json.loads(browsers["ada"].get("/settings/data.json").content)
    assert theirs["items of the shop"] == theirs["credits given"] == theirs["reports of bundles"] == []
    assert [(one["item__version"], one["state"]) for one in theirs["bundles asked for"]] == [
        ("1.0.0", "granted"), ("1.0.1", "requested"),
    ]  # fmt: skip


def test_items_of_an_erased_person_are_withdrawn_and_say_so_and_what_nobody_was_given_is_gone(
    browsers: dict[str, "Client"], items: dict[str, str], bundle: Bundle, site: str, client_of: ClientOf
) -> None:
    bob, ada = person("bob"), browsers["ada"]
    assert {"shop_items", "shop_reports", "shop_credits"} <= set(places_of(site, SECRET))
    erase(bob)
    assert places_of(site, SECRET) == []
    assert set(places_of(site, "bob")) <= {"account_changes"}
    page = text(ada, items["given"])
    assert "Withdrawn: its owner erased the account." in page
    assert f"erased-{bob.pk}" in page
    assert ada.get(f"{items['given']}bundle.zip").content == bundle.body  # who was given it keeps it
    assert [ada.get(items[name]).status_code for name in ("waits", "draft")] == [404, 404]
    assert client_of("viewer", "zoe").get(items["given"]).status_code == 404
    assert browsers["eve"].get(items["given"]).status_code == 200  # an admin sees what was published
    assert (credits_of(person("ada")), credits_of(bob)) == (3, 2)
    assert "waits for you" not in text(browsers["eve"], items["of eve"])
    assert "withdrew a bundle" in text(ada, "/community/")


def test_a_withdrawn_item_of_somebody_who_is_there_says_nothing_of_an_erasure(
    browsers: dict[str, "Client"], items: dict[str, str]
) -> None:
    browsers["bob"].post(f"{items['given']}state/", {"state": "withdrawn"})
    assert "erased the account" not in text(browsers["ada"], items["given"])
