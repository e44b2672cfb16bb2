"""The page Live: one asks, another approves, whoever may halt revokes; no page does what one person alone may not."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.accounts.changes import record_change
from dashboard.accounts.models import Invitation, User
from dashboard.accounts.roles import Role
from strades_pipelines.settings import settings
from tests.brokerage.test_live_permissions import LATER, SLEEVE, STATE, WALLET
from tests.dashboard.conftest import PASSWORD, ClientOf

Owner = psycopg.Connection[Any]


@pytest.fixture
def owner(site: str) -> Iterator[Owner]:
    """A live wallet with a limit, as the owner of the database sees it."""
    with psycopg.connect(site, autocommit=True) as opened:
        opened.execute(WALLET, ["live"])
        opened.execute("UPDATE trading.wallets SET limits = '{\"max_orders_per_minute\": 3}'")
        yield opened


def later(owner: Owner, seconds: int) -> None:
    """Have the requests be older than they are."""
    owner.execute("SET session_replication_role = replica")
    owner.execute(LATER, {"past": f"{seconds} s"})
    owner.execute("SET session_replication_role = origin")


def confirmed(client: Client) -> Client:
    """The same browser, with the password given again."""
    client.post("/account/again/", {"password": PASSWORD})
    return client


def said(client: Client) -> str:
    """The page as it is after a step."""
    return str(client.get("/live/").content.decode())


def ask(client: Client, **changes: str) -> str:
    """Send the form of the page; what the page then says."""
    found = dict(re.findall(r'name="(key|wallet|limits|strategies)" value="([^"]*)"', said(client)))
    fields = {name: html.unescape(value) for name, value in found.items()} | {"reason": "<b>enough</b> of paper"}
    client.post("/live/request/", {**fields, **changes})
    return said(client)


def newest(owner: Owner) -> int:
    row = owner.execute("SELECT max(request_id) FROM trading.live_requests").fetchone()
    assert row is not None
    return int(row[0])


def state(owner: Owner) -> str:
    row = owner.execute(STATE).fetchone()
    assert row is not None
    return str(row[0])


def test_one_asks_another_approves_and_a_third_revokes_without_a_password(client_of: ClientOf, owner: Owner) -> None:
    ada, bob, admin = client_of("trader", "ada"), client_of("trader", "bob"), client_of("admin", "root")
    assert ada.post("/live/request/", {})["Location"] == "/account/again/?next=/live/"
    confirmed(ada)
    page = ask(ada)
    assert "&lt;b&gt;enough&lt;/b&gt; of paper" in page
    assert "Another person has to approve" in page
    request = {"request": newest(owner), "name": "money"}
    ada.post("/live/approve/", request)
    assert state(owner) == "halted"
    assert bob.post("/live/approve/", request)["Location"] == "/account/again/?next=/live/"
    assert state(owner) == "halted"
    seen = said(bob)
    assert "<code>max_orders_per_minute</code></td><td><span" in seen  # of before: no limit
    assert "not compared yet" in seen
    confirmed(bob).post("/live/approve/", request)
    assert state(owner) == "active"
    with CaptureQueriesContext(connection) as own, CaptureQueriesContext(connections["layers"]) as layers:
        assert "asked for by dashboard:ada, approved by dashboard:bob" in said(bob)
    asked = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
    assert len([query for query in asked if query not in ("BEGIN", "COMMIT")]) <= 12
    admin.post("/live/revoke/", request)
    assert state(owner) == "halted"
    assert "revoked by dashboard:root" in said(bob)


def test_the_same_form_twice_is_one_request_and_other_limits_are_none(client_of: ClientOf, owner: Owner) -> None:
    ada = confirmed(client_of("trader", "ada"))
    key = "00000000-0000-4000-8000-000000000001"
    fields = {"key": key, "wallet": "money", "strategies": "{}", "reason": "x"}
    sent = {**fields, "limits": json.dumps({"max_orders_per_minute": 3})}
    for _ in range(2):
        ada.post("/live/request/", sent)
    assert owner.execute("SELECT count(*) FROM trading.live_requests").fetchone() == (1,)
    assert "Its limits or strategies have changed" in ask(ada, limits="{}")
    assert "Its limits or strategies have changed" in ask(ada, strategies='{"trend": "5"}')
    for wrong in (
        {"limits": "[]"},
        {"strategies": "[]"},
        {"limits": "x"},
        {"reason": ""},
        {"key": "x"},
        {"wallet": "nobody's"},
    ):
        ask(ada, **wrong)
    assert owner.execute("SELECT count(*) FROM trading.live_requests").fetchone() == (1,)


@pytest.mark.parametrize(("is_set", "waited", "name", "outcome"), [
    ("", 70, "money", "halted"),
    ("true", 50, "money", "halted"),
    ("true", 70, "Money", "halted"),
    ("true", 70, "money", "active"),
    ("true", 901, "money", "halted"),
])  # fmt: skip
def test_one_person_alone_needs_the_setting_a_minute_and_the_name(
    client_of: ClientOf,
    owner: Owner,
    monkeypatch: pytest.MonkeyPatch,
    is_set: str,
    waited: int,
    name: str,
    outcome: str,
) -> None:
    monkeypatch.setenv("STRADES_LIVE_ONE_PERSON", is_set)
    settings.cache_clear()
    owner.execute(f"SET strades.live_one_person = '{'on' if is_set else 'off'}'")
    ada = confirmed(client_of("admin", "ada"))
    ask(ada)
    later(owner, waited)
    ada.post("/live/approve/", {"request": newest(owner), "name": name})
    assert state(owner) == outcome


def test_a_revocation_counts_for_every_request_of_the_wallet(client_of: ClientOf, owner: Owner) -> None:
    """Three requests: the first approved, the others waiting. Taking the second back revokes 3 = 1 + 2."""
    ada, bob = confirmed(client_of("trader", "ada")), confirmed(client_of("trader", "bob"))
    ask(ada)
    first = newest(owner)
    ask(bob, key="00000000-0000-4000-8000-000000000002")
    second = newest(owner)
    ask(bob, key="00000000-0000-4000-8000-000000000003")
    bob.post("/live/approve/", {"request": first})
    assert state(owner) == "active"
    ada.post("/live/revoke/", {"request": second + 1000})
    assert "There is no such request" in said(ada)
    assert state(owner) == "active"
    ada.post("/live/revoke/", {"request": second})
    assert "Revoked: nothing new is sent." in said(ada)
    assert state(owner) == "halted"
    assert owner.execute("SELECT count(*) FROM trading.live_revocations").fetchone() == (3,)
    ada.post("/live/approve/", {"request": second + 1})
    assert state(owner) == "halted"


@pytest.mark.parametrize(("way", "asker"), [("invitation", "root"), ("invitation", "bob"), ("role", "bob")])
def test_an_account_and_the_one_that_gave_it_are_not_two_people(
    client_of: ClientOf, owner: Owner, way: str, asker: str
) -> None:
    """Neither of the two may approve what the other asked for; carla, whom none of them invited, may."""
    roles = {"root": "admin", "bob": "trader", "carla": "trader"}
    clients = {name: confirmed(client_of(role, name)) for name, role in roles.items()}
    root, bob = User.objects.get(pseudo="root"), User.objects.get(pseudo="bob")
    if way == "invitation":
        made, _token = Invitation.issue(role=Role.TRADER, by=root)
        Invitation.objects.filter(pk=made.pk).update(used_by=bob)
    else:
        record_change(bob, "trader", by="root")
    ask(clients[asker])
    other = clients["bob" if asker == "root" else "root"]
    with CaptureQueriesContext(connection) as own, CaptureQueriesContext(connections["layers"]) as layers:
        assert "A third person has to approve." in said(other)
    asked = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
    assert len([query for query in asked if query not in ("BEGIN", "COMMIT")]) <= 12
    other.post("/live/approve/", {"request": newest(owner)})
    assert state(owner) == "halted"
    clients["carla"].post("/live/approve/", {"request": newest(owner)})
    assert state(owner) == "active"


def test_an_approval_that_counts_elsewhere_can_be_revoked_here(client_of: ClientOf, owner: Owner) -> None:
    """The trader's process lets one person approve, the dashboard's does not: it may send, though not by this page."""
    ada = confirmed(client_of("trader", "ada"))
    ask(ada)
    later(owner, 70)
    owner.execute(
        "INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, is_one_person) "
        "VALUES (%s, 'dashboard:ada', 'dashboard:ada', true)",
        [newest(owner)],
    )
    assert state(owner) == "halted"
    page = said(ada)
    assert "Revoke: send nothing new" in page
    assert "Ask for live trading" in page


def test_a_strategy_that_is_added_or_gets_other_capital_takes_a_new_approval(client_of: ClientOf, owner: Owner) -> None:
    """From none to 5 % of the capital, then from 5 % to 100 %."""
    ada, bob = confirmed(client_of("trader", "ada")), confirmed(client_of("trader", "bob"))
    for before, percent in ((None, "0"), ("0", "5"), ("5", "100")):
        if before is not None:
            owner.execute(SLEEVE, [percent])
            assert state(owner) == "reducing"
        ask(ada)
        shown = f"<code>strategy trend</code></td><td>{before} %</td><td>{percent} %</td>"
        assert (shown in said(bob)) == (before is not None)
        bob.post("/live/approve/", {"request": newest(owner)})
        assert state(owner) == "active"


def test_a_viewer_sees_and_can_do_nothing(client_of: ClientOf, owner: Owner) -> None:
    viewer = confirmed(client_of("viewer"))
    assert "<form class" not in said(viewer).partition("<main")[2]
    assert viewer.get("/live/", headers={"accept-language": "fr"}).content.decode().count("le trading réel exige") == 1
    for step in ("request", "approve", "revoke"):
        assert viewer.post(f"/live/{step}/", {"request": 1}).status_code == 403
