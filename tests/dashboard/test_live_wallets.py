"""The page Live: one asks, another approves, whoever may halt revokes; no page does what one person alone may not."""

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.accounts.changes import record_change, related_accounts
from dashboard.accounts.models import Invitation, User
from dashboard.accounts.roles import Role
from strades_pipelines.settings import settings
from tests.brokerage.approvals import let_time_pass
from tests.brokerage.test_live_permissions import SLEEVE, STATE, WALLET
from tests.dashboard.conftest import PASSWORD, ClientOf

Owner = psycopg.Connection[Any]
TERMS = json.dumps({"max_orders_per_minute": 3, "max_decision_age_minutes": 60})  # of the wallet below


@pytest.fixture
def owner(site: str) -> Iterator[Owner]:
    """A live wallet with a limit, as the owner of the database sees it."""
    with psycopg.connect(site, autocommit=True) as opened:
        opened.execute(WALLET, ["live"])
        opened.execute("UPDATE trading.wallets SET limits = '{\"max_orders_per_minute\": 3}'")
        yield opened


def confirmed(client: Client) -> Client:
    """The same browser, with the password given again."""
    client.post("/account/again/", {"password": PASSWORD})
    return client


def said(client: Client) -> str:
    """The page as it is after a step."""
    return str(client.get("/live/").content.decode())


def ask(client: Client, **changes: str) -> str:
    """Send the form of the page; what the page then says."""
    found = dict(re.findall(r'name="(key|wallet|limits|strategies|code)" value="([^"]*)"', said(client)))
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


def state_a_minute_later(owner: Owner) -> str:
    let_time_pass(owner, 60)
    return state(owner)


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
    assert state_a_minute_later(owner) == "active"
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
    sent = {**fields, "limits": TERMS}
    for _ in range(2):
        ada.post("/live/request/", sent)
    assert owner.execute("SELECT count(*) FROM trading.live_requests").fetchone() == (1,)
    for other in ({"limits": "{}"}, {"strategies": '{"trend": "5"}'}, {"code": "5"}):
        assert "Its limits, strategies or code have changed" in ask(ada, **other)
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
    let_time_pass(owner, waited)
    ada.post("/live/approve/", {"request": newest(owner), "name": name})
    assert state_a_minute_later(owner) == outcome


def test_a_revocation_counts_for_every_request_of_the_wallet(client_of: ClientOf, owner: Owner) -> None:
    """Three requests: the first approved, the others waiting. Taking the second back revokes 3 = 1 + 2."""
    ada, bob = confirmed(client_of("trader", "ada")), confirmed(client_of("trader", "bob"))
    ask(ada)
    first = newest(owner)
    ask(bob, key="00000000-0000-4000-8000-000000000002")
    second = newest(owner)
    ask(bob, key="00000000-0000-4000-8000-000000000003")
    bob.post("/live/approve/", {"request": first})
    assert state_a_minute_later(owner) == "active"
    ada.post("/live/revoke/", {"request": second + 1000})
    assert "There is no such request" in said(ada)
    assert state(owner) == "active"
    ada.post("/live/revoke/", {"request": second})
    assert "Revoked: nothing new is sent." in said(ada)
    assert state(owner) == "halted"
    assert owner.execute("SELECT count(*) FROM trading.live_revocations").fetchone() == (3,)
    ada.post("/live/approve/", {"request": second + 1})
    assert state(owner) == "halted"


def make(kind: str, maker: str, name: str) -> None:
    """Have one account invite or change another."""
    account = User.objects.get(pseudo=name)
    if kind == "invites":
        invitation, _token = Invitation.issue(role=Role.TRADER, by=User.objects.get(pseudo=maker))
        Invitation.objects.filter(pk=invitation.pk).update(used_by=account)
    else:
        record_change(account, "trader", by=maker)


# Who made whom and how, and behind whose account carla may be.
MADE: list[tuple[list[tuple[str, str, str]], set[str]]] = [
    ([], set()),
    ([("invites", "bob", "carla")], {"bob"}),
    ([("changes", "bob", "carla")], {"bob"}),
    ([("changes", "carla", "bob")], {"bob"}),
    ([("invites", "root", "deputy"), ("invites", "deputy", "carla")], {"root", "deputy"}),
    (
        [("changes", "root", "deputy"), ("invites", "deputy", "bob"), ("changes", "bob", "carla")],
        {"root", "deputy", "bob"},
    ),
    ([("invites", "root", "bob"), ("invites", "root", "carla")], {"root", "bob"}),
    (
        [("invites", "root", "deputy"), ("invites", "deputy", "carla"), ("invites", "root", "bob")],
        {"root", "deputy", "bob"},
    ),
    ([("changes", "bob", "carla"), ("changes", "carla", "bob")], {"bob"}),
    # Both changed the deputy: neither made the other, and nobody made both.
    ([("changes", "carla", "deputy"), ("changes", "bob", "deputy")], {"deputy"}),
]  # fmt: skip


def test_one_person_may_be_behind_accounts_that_one_account_made_through_whatever_others(site: str) -> None:
    for number, (acts, expected) in enumerate(MADE):
        names = {name: f"{name}-{number}" for name in ("root", "deputy", "bob", "carla")}
        User.objects.bulk_create(User(pseudo=name, password="!") for name in names.values())
        for kind, maker, name in acts:
            make(kind, names[maker], names[name])
        record_change(User.objects.get(pseudo=names["carla"]), "made as trader", by=f"{names['bob']} (terminal)")
        assert related_accounts(names["carla"]) == {names[name] for name in expected}, acts


@pytest.mark.parametrize("acts", [[("invites", "root", "ada"), ("changes", "ada", "bob")], [
    ("invites", "root", "ada"), ("changes", "root", "bob")]], ids=["a chain", "one made both"])  # fmt: skip
def test_who_may_be_the_same_person_does_not_approve(
    client_of: ClientOf, owner: Owner, acts: list[tuple[str, str, str]]
) -> None:
    clients = {name: confirmed(client_of("trader", name)) for name in ("ada", "bob", "zoe")}
    User.objects.create(pseudo="root", password="!", role="admin")
    for act in acts:
        make(*act)
    ask(clients["ada"])
    with CaptureQueriesContext(connection) as own, CaptureQueriesContext(connections["layers"]) as layers:
        page = said(clients["bob"])
    asked = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
    assert len([query for query in asked if query not in ("BEGIN", "COMMIT")]) <= 12
    assert "One person may be behind your account and theirs" in page
    assert "Approve: trade with money" not in page
    clients["bob"].post("/live/approve/", {"request": newest(owner)})
    assert "One person may be behind your account and theirs" in said(clients["bob"])
    assert owner.execute("SELECT count(*) FROM trading.live_approvals").fetchone() == (0,)
    clients["zoe"].post("/live/approve/", {"request": newest(owner)})
    assert state_a_minute_later(owner) == "active"


def test_an_approval_begins_after_a_minute_that_is_told_and_can_be_cancelled(client_of: ClientOf, owner: Owner) -> None:
    """Told as a time: no page runs a script for it."""
    ada, bob = confirmed(client_of("trader", "ada")), confirmed(client_of("trader", "bob"))
    ask(ada)
    bob.post("/live/approve/", {"request": newest(owner)})
    page = said(ada)
    row = owner.execute("SELECT approved_at + interval '60 s' FROM trading.live_approvals").fetchone()
    assert row is not None
    assert f"{row[0].astimezone(UTC):%H:%M:%S} UTC</time>" in page
    assert ("Cancel: send nothing" in page, "Ask for live trading" in page) == (True, False)
    assert "commence" in ada.get("/live/", headers={"accept-language": "fr"}).content.decode()
    assert state(owner) == "halted"
    ada.post("/live/revoke/", {"request": newest(owner)})
    assert state_a_minute_later(owner) == "halted"
    page = said(ada)
    assert ("Cancel: send nothing" in page, "Ask for live trading" in page) == (False, True)
    ask(ada)
    bob.post("/live/approve/", {"request": newest(owner)})
    assert state_a_minute_later(owner) == "active"
    assert "Cancel: send nothing" not in said(ada)


def test_the_approval_names_the_code_and_says_that_it_is_another(client_of: ClientOf, owner: Owner) -> None:
    ada, bob = confirmed(client_of("trader", "ada")), confirmed(client_of("trader", "bob"))
    for code, before in (("a" * 64, None), ("b" * 64, "a" * 12)):
        owner.execute("UPDATE trading.wallets SET code_hash = %s", [code])
        assert (before is None) or state(owner) == "reducing"
        ask(ada)
        page = said(bob)
        assert f">{code[:12]}</code>" in page
        assert ("approved last:" in page) == (before is not None)
        assert before is None or f">{before}</code>" in page
        bob.post("/live/approve/", {"request": newest(owner)})
        assert state_a_minute_later(owner) == "active"


def test_a_person_asks_three_times_an_hour_whatever_the_wallet(client_of: ClientOf, owner: Owner) -> None:
    ada, bob = confirmed(client_of("trader", "ada")), confirmed(client_of("trader", "bob"))
    key = "00000000-0000-4000-8000-00000000000{}"
    fields = {"wallet": "money", "strategies": "{}", "limits": TERMS, "reason": "x"}

    def answers(client: Client, *keys: int) -> list[int]:
        return [client.post("/live/request/", {**fields, "key": key.format(n)}).status_code for n in keys]

    assert answers(ada, 1, 2, 2, 1) == [302, 302, 302, 302]  # the same form again is not counted
    ask(ada, limits="{}")  # nor is what was not taken
    assert answers(ada, 3, 4) == [302, 429]
    refused = ada.post("/live/request/", {**fields, "key": key.format(4)}, headers={"accept-language": "fr"})
    assert refused["Retry-After"] == "3600"
    assert "trois fois par heure" in refused.content.decode()
    assert answers(ada, 3) == [302]
    assert owner.execute("SELECT count(*) FROM trading.live_requests").fetchone() == (3,)
    assert answers(bob, 5) == [302]
    let_time_pass(owner, 3590)
    assert answers(ada, 6) == [429]
    let_time_pass(owner, 10)
    assert answers(ada, 6) == [302]
    assert "Revoke" in said(ada) or "Take the request back" in said(ada)
    ada.post("/live/revoke/", {"request": newest(owner)})
    assert "Revoked: nothing new is sent." in said(ada)


def test_an_approval_that_counts_elsewhere_can_be_revoked_here(client_of: ClientOf, owner: Owner) -> None:
    """The trader's process lets one person approve, the dashboard's does not: it may send, though not by this page."""
    ada = confirmed(client_of("trader", "ada"))
    ask(ada)
    let_time_pass(owner, 70)
    owner.execute(
        "INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, is_one_person) "
        "VALUES (%s, 'dashboard:ada', 'dashboard:ada', true)",
        [newest(owner)],
    )
    assert state_a_minute_later(owner) == "halted"
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
        assert state_a_minute_later(owner) == "active"


def test_a_viewer_sees_and_can_do_nothing(client_of: ClientOf, owner: Owner) -> None:
    viewer = confirmed(client_of("viewer"))
    assert "<form class" not in said(viewer).partition("<main")[2]
    assert viewer.get("/live/", headers={"accept-language": "fr"}).content.decode().count("le trading réel exige") == 1
    for step in ("request", "approve", "revoke"):
        assert viewer.post(f"/live/{step}/", {"request": 1}).status_code == 403


@pytest.mark.parametrize("text", [
    '{"a": NaN}', '{"a": 1e999999}', '{"a": "\\u0000"}', '{"a": "\\ud800"}', "[" * 4900 + "]" * 4900,
    '{"a":' * 1500 + "1" + "}" * 1500,
])  # fmt: skip
@pytest.mark.parametrize("field", ["limits", "strategies"])
def test_json_that_the_page_never_showed_asks_for_nothing(
    client_of: ClientOf, owner: Owner, field: str, text: str
) -> None:
    ada = confirmed(client_of("trader", "ada"))
    assert "Nothing was asked for" in (page := ask(ada, **{field: text})) or "have changed since this page" in page
    assert owner.execute("SELECT count(*) FROM trading.live_requests").fetchone() == (0,)


def test_a_wallet_without_a_limit_says_so_whatever_its_other_terms_are(client_of: ClientOf, owner: Owner) -> None:
    owner.execute("UPDATE trading.wallets SET limits = '{}', dead_man_seconds = 30")
    ada = confirmed(client_of("trader", "ada"))
    page = said(ada)
    assert "<code>dead_man_seconds</code> 30" in page
    assert '<span class="late">none</span>' in page
    ask(ada)
    assert "max_decision_age_minutes" in said(client_of("trader", "bob"))
