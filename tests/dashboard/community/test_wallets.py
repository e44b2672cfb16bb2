"""A wallet with an owner is there for who may see it and nobody else: on pages, in searches, files, the 4D view."""

import re
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connections

from dashboard.accounts.models import User
from dashboard.community.contacts import Refused, block
from dashboard.community.models import Level, MemberRole, Organization
from dashboard.community.organizations import change_member, create_organization, invite, join, membership
from dashboard.community.wallets import give_wallet, owner_of, share_wallet, unshare_wallet
from dashboard.gateway.viewer import set_viewer
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import ClientOf, decision_id

Connection = psycopg.Connection[Any]
SCHEMAS = ("trading", "signals", "results", "ops")
RELATIONS = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace = ANY(%s::regnamespace[]) AND c.relkind IN ('r', 'v', 'm', 'p') ORDER BY 1
"""
UNGUARDED = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace = ANY(%s::regnamespace[]) AND (
        (c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY(c.reloptions), false))
        OR (c.relkind = 'r' AND NOT c.relrowsecurity AND EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname IN ('wallet', 'wallets', 'intent_id', 'decision_id', 'account')
                AND NOT a.attisdropped
        ))
    )
"""
PAGES = (
    "/wallets/paper/", "/wallets/paper/performance/", "/wallets/paper/returns/", "/wallets/paper/round-trips/",
    "/wallets/paper/comparison/", "/wallets/paper/verification/", "/wallets/paper/sharing/",
    "/wallets/paper/fills.csv", "/wallets/paper/equity.csv", "/wallets/paper/round-trips.csv",
)  # fmt: skip
LISTS = (
    "/", "/wallets/", "/bots/", "/commands/", "/choice/", "/search/?q=paper", "/data/trading/fills/",
    "/data/trading/fills/rows.csv", "/data/signals/decisions/rows.csv", "/data/trading/order_events/rows.csv",
    "/agenda/?day=2024-01-02", "/4d/columns/?from=2024-01-01&to=2024-01-03", "/historic/", "/live/",
)  # fmt: skip


@pytest.fixture
def owned(traded: Connection, client_of: ClientOf) -> dict[str, Any]:
    """The wallet `paper` is ada's; browsers of ada and bob, two traders, and of an admin."""
    browsers = {name: client_of(role, name) for name, role in (("ada", "trader"), ("bob", "trader"), ("eve", "admin"))}
    give_wallet(person("eve"), "paper", to=person("ada"))
    return browsers


def share(level: Level, name: str = "bob") -> None:
    """Ada shares her wallet with a contact."""
    owner = owner_of("paper")
    assert owner is not None
    share_wallet(person("ada"), owner, to=person(name), level=level)


def rows_with(text: str) -> dict[str, int]:
    """How many rows of each relation the viewer is shown that have a text anywhere."""
    with connections["layers"].cursor() as cursor:
        cursor.execute(RELATIONS, [list(SCHEMAS)])
        found = {}
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {name} AS r WHERE strpos(r::text, %s) > 0", [text])
            [(found[name],)] = cursor.fetchall()
    return {name: count for name, count in found.items() if count}


def test_nothing_that_names_a_wallet_is_without_a_guard(traded: Connection) -> None:
    assert traded.execute(UNGUARDED, [list(SCHEMAS)]).fetchall() == []


def test_no_relation_has_a_row_of_the_wallet_for_others(owned: dict[str, Any], traded: Connection) -> None:
    decision = decision_id(traded)
    [(intent,)] = traded.execute("SELECT intent_id FROM trading.intents WHERE decision_id = %s", [decision]).fetchall()
    for text in (decision, intent):
        set_viewer(person("ada").pk)
        assert len(rows_with(text)) >= 2
        for viewer in (person("bob").pk, None):
            set_viewer(viewer)
            assert rows_with(text) == {}, text
    set_viewer(person("eve").pk)
    assert rows_with(decision) != {}


def test_pages_of_the_wallet_are_there_for_who_may_see_it(owned: dict[str, Any], traded: Connection) -> None:
    decision = decision_id(traded)
    pages = (*PAGES, f"/decisions/{decision}/", f"/trace/{decision}/")

    def seen_by(name: str) -> list[int]:
        return [owned[name].get(path).status_code for path in pages]

    assert seen_by("ada") == seen_by("eve") == [200] * len(pages)
    assert seen_by("bob") == [404] * len(pages)
    make_contacts(person("ada"), person("bob"))
    assert seen_by("bob") == [404] * len(pages)
    share(Level.VIEW)
    assert seen_by("bob") == [200] * len(pages)
    block(person("bob"), person("ada"))
    assert seen_by("bob") == [404] * len(pages)


def test_lists_files_and_searches_say_nothing_of_it_to_others(owned: dict[str, Any], traded: Connection) -> None:
    texts = [decision_id(traded), "/wallets/paper/", "wallet:paper", ",paper,", '"paper"']
    for path in LISTS:
        answer = owned["bob"].get(path)
        page = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert answer.status_code == 200, path
        page = page.replace(b'value="paper"', b"")  # what was searched for
        assert [text for text in texts if text.encode() in page] == [], path
    shown = owned["ada"].get("/wallets/").content.decode() + owned["ada"].get("/search/?q=paper").content.decode()
    assert shown.count("/wallets/paper/") >= 2
    assert owned["ada"].get("/data/trading/fills/rows.csv").content.decode().count("paper") >= 1


def test_notations_on_it_are_for_who_sees_it(owned: dict[str, Any], traded: Connection) -> None:
    decision = decision_id(traded)
    for kind, key in (("wallet", "paper"), ("decision", decision)):
        path = f"/notations/write/?kind={kind}&key={key}"
        [form] = re.findall(r'name="key" value="([^"]+)"', owned["ada"].get(path).content.decode())
        owned["ada"].post(path, {"key": form, "base": 0, "rating": "4", "note": f"said of a {kind}"})
        assert owned["bob"].get(path).status_code == 404
    assert owned["ada"].get("/notations/").content.decode().count("said of a ") == 2
    assert "said of a " not in owned["bob"].get("/notations/?history=1").content.decode()


def test_to_see_is_not_to_operate(owned: dict[str, Any], traded: Connection) -> None:
    make_contacts(person("ada"), person("bob"))
    share(Level.VIEW)
    form = {"scope": "wallet:paper", "reason": "x"}

    def flatten(name: str) -> int:
        page = owned[name].get("/flatten/?scope=wallet:paper").content.decode()
        [key] = re.findall(r'name="key" value="([^"]+)"', page)
        return int(owned[name].post("/flatten/?scope=wallet:paper", form | {"key": key}).status_code)

    assert flatten("bob") == 403
    assert traded.execute("SELECT count(*) FROM trading.commands").fetchone() == (0,)
    traded.commit()
    share(Level.OPERATE)
    assert flatten("bob") == 302
    assert traded.execute("SELECT name, requested_by FROM trading.commands").fetchall() == [("paper", "dashboard:bob")]


def test_the_database_refuses_what_a_page_would_let_through(owned: dict[str, Any], site: str) -> None:
    statement = """
        INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key)
        VALUES (%s, 'wallet', 'paper', 'dashboard:bob', now(), 'x', '{}', %s)
    """
    make_contacts(person("ada"), person("bob"))
    share(Level.VIEW)
    with psycopg.connect(site, autocommit=True) as owner:
        owner.execute("SET SESSION AUTHORIZATION strades_dashboard")
        owner.execute("SELECT set_config('strades.viewer', %s, false)", [str(person("bob").pk)])
        for kind in ("flatten", "resume"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(statement, [kind, uuid4()])
        owner.execute(statement, ["halt", uuid4()])  # who sees a wallet halts it


def test_an_organization_shares_by_role_and_leaving_ends_it_at_once(owned: dict[str, Any]) -> None:
    ada, bob, eve = person("ada"), person("bob"), person("eve")
    desk: Organization = create_organization(ada, "Desk")
    mine = membership(ada, desk.pk)
    assert mine is not None
    assert join(bob, invite(mine, MemberRole.ANALYST)) == desk
    give_wallet(eve, "paper", to=desk)
    path = "/wallets/paper/"

    def may_operate(who: User) -> bool:
        set_viewer(who.pk)
        with connections["layers"].cursor() as cursor:
            cursor.execute("SELECT trading.may_operate('paper')")
            return bool(cursor.fetchone()[0])

    assert (owned["bob"].get(path).status_code, may_operate(bob), may_operate(ada)) == (200, False, True)
    theirs = membership(bob, desk.pk)
    assert theirs is not None
    change_member(mine, theirs.pk, MemberRole.TRADER)
    assert may_operate(bob)
    change_member(mine, theirs.pk, None)
    assert (owned["bob"].get(path).status_code, may_operate(bob)) == (404, False)
    give_wallet(eve, "paper", to=None)
    assert owned["bob"].get(path).status_code == 200


def test_a_share_ends_as_its_owner_leaves_the_organization(owned: dict[str, Any]) -> None:
    ada, bob = person("ada"), person("bob")
    desk: Organization = create_organization(bob, "Desk")
    theirs = membership(bob, desk.pk)
    assert theirs is not None
    join(ada, invite(theirs, MemberRole.OWNER))
    owner, mine = owner_of("paper"), membership(ada, desk.pk)
    assert owner is not None
    assert mine is not None
    share_wallet(ada, owner, to=desk, level=Level.OPERATE)
    assert owned["bob"].get("/wallets/paper/").status_code == 200
    change_member(theirs, mine.pk, None)
    assert owned["bob"].get("/wallets/paper/").status_code == 404
    assert owner.shares.filter(ended_at=None).count() == 0
    assert "ended the sharing" in owned["ada"].get("/community/").content.decode()


def test_who_may_not_operate_a_wallet_does_not_resume_it_with_others(owned: dict[str, Any], site: str) -> None:
    """A halt of everything or of a strategy holds wallets too that are hidden from who would end it."""
    statement = """
        INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key)
        VALUES (%s, %s, %s, 'dashboard:x', now(), 'x', '{}', %s)
    """
    with psycopg.connect(site, autocommit=True) as owner:
        [(strategy,)] = owner.execute("SELECT strategy FROM trading.wallets WHERE wallet = 'paper'").fetchall()
        owner.execute("SET SESSION AUTHORIZATION strades_dashboard")
        for name, is_refused in (("bob", True), ("ada", False), ("eve", False)):
            owner.execute("SELECT set_config('strades.viewer', %s, false)", [str(person(name).pk)])
            owner.execute(statement, ["halt", "all", "", uuid4()])
            owner.execute(statement, ["resume", "strategy", "another", uuid4()])
            for scope, key in (("all", ""), ("strategy", strategy)):
                if is_refused:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        owner.execute(statement, ["resume", scope, key, uuid4()])
                else:
                    owner.execute(statement, ["resume", scope, key, uuid4()])


def test_who_may_give_and_share(owned: dict[str, Any]) -> None:
    ada, bob, owner = person("ada"), person("bob"), owner_of("paper")
    assert owner is not None
    with pytest.raises(Refused, match="right"):
        give_wallet(ada, "paper", to=bob)
    with pytest.raises(Refused, match="reach"):  # no contact
        share_wallet(ada, owner, to=bob, level=Level.VIEW)
    with pytest.raises(Refused, match="right"):
        share_wallet(bob, owner, to=bob, level=Level.OPERATE)
    make_contacts(ada, bob)
    share(Level.OPERATE)
    with pytest.raises(Refused, match="right"):  # what was shared with him he does not share on
        share_wallet(bob, owner, to=ada, level=Level.VIEW)
    with pytest.raises(Refused, match="right"):
        unshare_wallet(bob, owner, owner.shares.get(ended_at=None).pk)
    share(Level.VIEW)  # one share with each
    assert owner.shares.filter(ended_at=None).count() == 1
