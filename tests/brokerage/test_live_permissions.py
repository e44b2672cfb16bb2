"""A live wallet sends with two people's word alone, whatever the order of the steps."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import event
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from strades_pipelines.brokerage.live_permissions import live_refusals
from strades_pipelines.brokerage.retirement import retire_unlisted
from strades_pipelines.database.connection import connect
from strades_pipelines.database.roles import DASHBOARD_ROLE
from strades_pipelines.settings import settings
from tests.brokerage.approvals import APPROVE, approve_live, let_time_pass, request_live

WALLET = """
    INSERT INTO trading.wallets (wallet, mode, broker, strategy, parameters, instruments, interval, code_hash, currency,
        opening_cash, fee_rate, opened_at, max_decision_age)
    VALUES ('money', %s, 'alpaca', 'sma_cross', '{}', '{}', '1m', '', 'USD', 1, 0, '2024-01-02Z', '1 h')
"""
SLEEVE = """
    INSERT INTO trading.sleeves
        (wallet, sleeve, strategy, parameters, instruments, capital_percent, code_hash, opened_at)
    VALUES ('money', 'trend', 'sma_cross', '{}', '{}', %s, '', '2024-01-02Z')
    ON CONFLICT (wallet, sleeve) DO UPDATE SET capital_percent = excluded.capital_percent, retired_at = NULL
"""
REVOKE = "INSERT INTO trading.live_revocations (request_id, revoked_by) VALUES (%s, 'x')"
PEOPLE = st.sampled_from(["ada", "bob"])
LIMITS = st.sampled_from(["{}", '{"max_orders_per_minute": 3}'])
CODES = st.sampled_from(["old", "new"])
STATE = "SELECT state FROM trading.wallet_states WHERE wallet = 'money'"


@pytest.fixture
def live(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A database with a live wallet, as its owner sees it."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(WALLET, ["live"])
        yield owner


class Steps(RuleBasedStateMachine):
    """Requests, approvals, revocations, changes and time in any order, beside a model of the rule in words."""

    requests = Bundle("requests")

    def __init__(self, owner: psycopg.Connection[Any]) -> None:
        super().__init__()
        self.owner = owner
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "TRUNCATE trading.live_approvals, trading.live_revocations, trading.live_changes, trading.live_requests"
        )
        owner.execute("UPDATE trading.wallets SET limits = '{}', code_hash = 'old'")
        owner.execute("DELETE FROM trading.sleeves")
        owner.execute("SET session_replication_role = origin")
        owner.execute("SET strades.live_one_person = 'off'")
        self.now, self.is_one_person_set = 0, False
        self.wallet = {"limits": "{}", "percent": "0", "code": "old"}
        self.asked: dict[int, tuple[str, int]] = {}  # by whom, when
        self.revoked: set[int] = set()
        self.changed: set[int] = set()  # whose wallet has changed since
        self.approved: list[tuple[int, bool, int]] = []  # which, by the asker himself, when

    def change(self, name: str, value: str) -> None:
        if self.wallet[name] != value:
            self.wallet[name] = value
            self.changed |= self.asked.keys()

    def counts(self, request: int, is_alone: bool) -> bool:
        return request not in self.revoked and (self.is_one_person_set or not is_alone)

    @rule(target=requests, by=PEOPLE)
    def request(self, by: str) -> int:
        request = request_live(self.owner, "money", by=by)
        self.asked[request] = (by, self.now)
        return request

    @rule(request=requests)
    def approve_as_another(self, request: int) -> None:
        self.approve(request, "carla", says_alone=False)

    @rule(request=requests, by=PEOPLE, says_alone=st.booleans())
    def approve(self, request: int, by: str, says_alone: bool) -> None:
        asker, at = self.asked[request]
        waited = self.now - at
        is_good = (
            request not in self.revoked
            and request not in self.changed
            and request not in {done for done, _, _ in self.approved}
            and waited < 15 * 60
            and (waited >= 60 if says_alone else by != asker)
        )
        try:
            self.owner.execute(APPROVE, [request, asker, by, says_alone])
        except psycopg.errors.IntegrityError:
            assert not is_good
        else:
            assert is_good
            self.approved.append((request, says_alone, self.now))
            event("approved")

    @rule(request=requests)
    def revoke(self, request: int) -> None:
        if request not in self.revoked:
            self.owner.execute(REVOKE, [request])
            self.revoked.add(request)
            is_approved = request in {done for done, _, _ in self.approved}
            event(f"revoked: {'an approved one' if is_approved else 'one that waits'}")

    @rule(limits=LIMITS)
    def change_limits(self, limits: str) -> None:
        self.owner.execute("UPDATE trading.wallets SET limits = %s", [limits])
        self.change("limits", limits)

    @rule(code=CODES)
    def change_code(self, code: str) -> None:
        self.owner.execute("UPDATE trading.wallets SET code_hash = %s", [code])
        self.change("code", code)

    @rule(percent=st.sampled_from(["0", "5", "100"]))
    def change_strategy(self, percent: str) -> None:
        if percent == "0":
            self.owner.execute("UPDATE trading.sleeves SET retired_at = now()")
        else:
            self.owner.execute(SLEEVE, [f"{percent}.0"])
        self.change("percent", percent)

    @rule(seconds=st.sampled_from([50, 70, 800, 910]))
    def wait(self, seconds: int) -> None:
        let_time_pass(self.owner, seconds)
        self.now += seconds

    @rule(is_set=st.booleans())
    def set_one_person(self, is_set: bool) -> None:
        self.owner.execute(f"SET strades.live_one_person = '{'on' if is_set else 'off'}'")
        self.is_one_person_set = is_set

    @invariant()
    def it_sends_only_with_the_word_of_two(self) -> None:
        state = "halted"
        if self.approved:
            *earlier, (newest, is_alone, at) = self.approved
            is_first = not any(self.counts(one, alone) for one, alone, _at in earlier)
            is_armed = self.now - at >= 60
            if self.counts(newest, is_alone) and (is_armed or not is_first):
                state = "active" if is_armed and newest not in self.changed else "reducing"
                event(f"{state}{', changed' if newest in self.changed else ''}")
        assert self.owner.execute(STATE).fetchone() == (state,)


def test_in_whatever_order_the_steps_come_the_wallet_sends_only_with_the_word_of_two(
    live: psycopg.Connection[Any],
) -> None:
    run_state_machine_as_test(
        lambda: Steps(live),  # type: ignore[arg-type]  # any factory will do
        settings=hypothesis_settings(max_examples=100, stateful_step_count=30, deadline=None),
    )


def test_other_modes_need_no_approval(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(WALLET, ["paper"])
        assert owner.execute(STATE).fetchone() == ("active",)


def test_whoever_trades_goes_by_his_own_environment(
    live: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_live(live, "money", by="ada")
    let_time_pass(live, 70)
    live.execute(APPROVE, [request, "ada", "ada", True])
    let_time_pass(live, 60)
    for is_set, lines in (("", 1), ("true", 0)):
        monkeypatch.setenv("STRADES_LIVE_ONE_PERSON", is_set)
        settings.cache_clear()
        with connect(database_url) as trading:
            assert len(live_refusals(trading)) == lines
    settings.cache_clear()


@pytest.mark.parametrize("statement", [
    "INSERT INTO trading.live_requests (request_key, wallet, limits, code_hash, reason, requested_by, requested_at) "
    "VALUES (gen_random_uuid(), 'money', '{}', '', 'x', 'ada', now() - interval '60 s')",
    "DELETE FROM trading.live_changes",
    "INSERT INTO trading.live_changes (request_id, what) VALUES (1, 'code')",
    "INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, approved_at) "
    "VALUES (1, 'a', 'b', now())",
    "UPDATE trading.live_requests SET limits = '{}'",
    "DELETE FROM trading.live_revocations",
    "UPDATE trading.wallets SET mode = 'paper'",
])  # fmt: skip
def test_the_pages_can_neither_set_a_time_nor_change_what_was_said(
    live: psycopg.Connection[Any], statement: str
) -> None:
    live.execute("SET SESSION AUTHORIZATION strades_dashboard")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        live.execute(statement)


def test_the_refusal_says_what_to_do_until_it_is_approved_and_a_minute_has_passed(
    live: psycopg.Connection[Any], database_url: str
) -> None:
    with connect(database_url) as trading:
        assert live_refusals(trading) == {
            "money": "live needs an approval: ask for it on the page Live of the dashboard"
        }
        with connect(database_url, role=DASHBOARD_ROLE) as dashboard:
            dashboard.execute(APPROVE, [request_live(dashboard, "money"), "dashboard:ada", "dashboard:bob", False])
            dashboard.commit()
        for passed in (0, 59):
            let_time_pass(live, passed)
            assert live_refusals(trading)["money"].startswith("live was approved less than a minute ago: wait, or")
            assert live.execute(STATE).fetchone() == ("halted",)
        let_time_pass(live, 1)
        assert live_refusals(trading) == {}
        assert live.execute(STATE).fetchone() == ("active",)


CHANGES = {
    "terms": [
        "UPDATE trading.wallets SET max_decision_age = '365 d'",
        "UPDATE trading.wallets SET max_decision_age = '1 h'",
    ],
    "silence": [
        "UPDATE trading.wallets SET dead_man_seconds = 30",
        "UPDATE trading.wallets SET dead_man_seconds = NULL",
    ],
    "limits": [
        "UPDATE trading.wallets SET limits = '{\"max_orders_per_minute\": 9}'",
        "UPDATE trading.wallets SET limits = '{}'",
    ],
    "strategies": [SLEEVE % 5, "UPDATE trading.sleeves SET retired_at = now()"],
    "code": ["UPDATE trading.wallets SET code_hash = 'other'", "UPDATE trading.wallets SET code_hash = ''"],
}

NAMED = {"terms": "limits", "silence": "limits"}  # in the line


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_ends_the_approval_also_where_it_is_undone(
    live: psycopg.Connection[Any], database_url: str, what: str
) -> None:
    with connect(database_url) as trading:
        approve_live(trading, "money")
        waiting = request_live(live, "money")
        for statement in CHANGES[what]:
            live.execute(statement)
            verb = "has" if what == "code" else "have"
            assert live_refusals(trading)["money"].startswith(
                f"its {NAMED.get(what, what)} {verb} changed since live was approved"
            )
            # Halted, it would cancel for good each emulated stop that the market touches.
            assert live.execute(STATE).fetchone() == ("reducing",)
            assert {state for (state,) in live.execute("SELECT state FROM trading.sleeve_states")} <= {
                "reducing",
                "retired",
            }
        with pytest.raises(psycopg.errors.CheckViolation, match="has changed since it was asked for: ask again"):
            live.execute(APPROVE, [waiting, "dashboard:ada", "dashboard:bob", False])
        approve_live(trading, "money")
        assert live_refusals(trading) == {}
        live.execute("UPDATE trading.wallets SET limits = limits, code_hash = code_hash, state_reason = 'x'")
        live.execute("UPDATE trading.sleeves SET capital_percent = 5.0")
        assert live_refusals(trading) == {}


@pytest.mark.parametrize("what", CHANGES)
def test_who_asks_while_a_change_is_not_committed_has_not_asked_for_it(
    live: psycopg.Connection[Any], database_url: str, what: str
) -> None:
    """The change cannot see the request; neither while it stands nor once it is undone does the approval count."""
    change, undo = CHANGES[what]
    with connect(database_url) as trading:
        trading.execute(change)
        request = request_live(live, "money")
        trading.commit()
        live.execute(APPROVE, [request, "dashboard:ada", "dashboard:bob", False])
        let_time_pass(live, 60)
        assert live_refusals(trading)["money"].startswith(f"its {NAMED.get(what, what)} ha")
        live.execute(undo)
        assert live_refusals(trading)["money"].startswith(f"its {NAMED.get(what, what)} ha")


def test_a_wallet_that_is_listed_again_needs_a_new_approval(live: psycopg.Connection[Any], database_url: str) -> None:
    with connect(database_url) as trading:
        approve_live(trading, "money")
        assert live_refusals(trading) == {}
        for _ in range(2):  # it is retired in more than one pass
            assert retire_unlisted(trading, [], ["live"]) == ["money"]
        live.execute("UPDATE trading.wallets SET state = 'active', state_reason = NULL")  # as `open_wallet` does
        assert live_refusals(trading)["money"].startswith("live needs an approval")
        approve_live(trading, "money")
        assert live_refusals(trading) == {}
