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
from tests.brokerage.approvals import APPROVE, approve_live

WALLET = """
    INSERT INTO trading.wallets (wallet, mode, broker, strategy, parameters, instruments, interval, code_hash, currency,
        opening_cash, fee_rate, opened_at, max_decision_age)
    VALUES ('money', %s, 'alpaca', 'sma_cross', '{}', '{}', '1m', '', 'USD', 1, 0, '2024-01-02Z', '1 h')
"""
REQUEST = """
    INSERT INTO trading.live_requests (request_key, wallet, limits, strategies, reason, requested_by)
    VALUES (gen_random_uuid(), 'money', %s, trading.strategies_of('money'), 'why', %s) RETURNING request_id
"""
SLEEVE = """
    INSERT INTO trading.sleeves
        (wallet, sleeve, strategy, parameters, instruments, capital_percent, code_hash, opened_at)
    VALUES ('money', 'trend', 'sma_cross', '{}', '{}', %s, '', '2024-01-02Z')
    ON CONFLICT (wallet, sleeve) DO UPDATE SET capital_percent = excluded.capital_percent, retired_at = NULL
"""
REVOKE = "INSERT INTO trading.live_revocations (request_id, revoked_by) VALUES (%s, 'x')"
LATER = """
    UPDATE trading.live_requests SET requested_at = requested_at - %(past)s::interval,
        expires_at = expires_at - %(past)s::interval
"""
PEOPLE = st.sampled_from(["ada", "bob"])
LIMITS = st.sampled_from(["{}", '{"max_orders_per_minute": 3}'])
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
        owner.execute("TRUNCATE trading.live_approvals, trading.live_revocations, trading.live_requests")
        owner.execute("UPDATE trading.wallets SET limits = '{}'")
        owner.execute("DELETE FROM trading.sleeves")
        owner.execute("SET session_replication_role = origin")
        owner.execute("SET strades.live_one_person = 'off'")
        self.now, self.limits, self.percent, self.is_one_person_set = 0, "{}", "0", False
        # By whom, with which limits and percent of the capital for a strategy, when.
        self.asked: dict[int, tuple[str, tuple[str, str], int]] = {}
        self.revoked: set[int] = set()
        self.approved: list[tuple[int, bool]] = []

    @rule(target=requests, by=PEOPLE)
    def request(self, by: str) -> int:
        row = self.owner.execute(REQUEST, [self.limits, by]).fetchone()
        assert row is not None
        self.asked[row[0]] = (by, (self.limits, self.percent), self.now)
        return int(row[0])

    @rule(request=requests)
    def approve_as_another(self, request: int) -> None:
        self.approve(request, "carla", says_alone=False)

    @rule(request=requests, by=PEOPLE, says_alone=st.booleans())
    def approve(self, request: int, by: str, says_alone: bool) -> None:
        asker, _terms, at = self.asked[request]
        waited = self.now - at
        is_good = (
            request not in self.revoked
            and request not in {done for done, _ in self.approved}
            and waited < 15 * 60
            and (waited >= 60 if says_alone else by != asker)
        )
        try:
            self.owner.execute(APPROVE, [request, asker, by, says_alone])
        except psycopg.errors.IntegrityError:
            assert not is_good
        else:
            assert is_good
            self.approved.append((request, says_alone))
            event("approved")

    @rule(request=requests)
    def revoke(self, request: int) -> None:
        if request not in self.revoked:
            self.owner.execute(REVOKE, [request])
            self.revoked.add(request)
            event(f"revoked: {'an approved one' if request in dict(self.approved) else 'one that waits'}")

    @rule(limits=LIMITS)
    def change_limits(self, limits: str) -> None:
        self.owner.execute("UPDATE trading.wallets SET limits = %s", [limits])
        self.limits = limits

    @rule(percent=st.sampled_from(["0", "5", "100"]))
    def change_strategy(self, percent: str) -> None:
        if percent == "0":
            self.owner.execute("UPDATE trading.sleeves SET retired_at = now()")
        else:
            self.owner.execute(SLEEVE, [f"{percent}.0"])
        self.percent = percent

    @rule(seconds=st.sampled_from([50, 70, 800, 910]))
    def wait(self, seconds: int) -> None:
        self.owner.execute("SET session_replication_role = replica")
        self.owner.execute(LATER, {"past": f"{seconds} s"})
        self.owner.execute("SET session_replication_role = origin")
        self.now += seconds

    @rule(is_set=st.booleans())
    def set_one_person(self, is_set: bool) -> None:
        self.owner.execute(f"SET strades.live_one_person = '{'on' if is_set else 'off'}'")
        self.is_one_person_set = is_set

    @invariant()
    def it_sends_only_with_the_word_of_two(self) -> None:
        state = "halted"
        if self.approved:
            newest, is_alone = self.approved[-1]
            _asker, terms, _at = self.asked[newest]
            if newest not in self.revoked and (self.is_one_person_set or not is_alone):
                state = "active" if terms == (self.limits, self.percent) else "reducing"
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
    [request] = live.execute(REQUEST, ["{}", "ada"]).fetchone() or [0]
    live.execute("SET session_replication_role = replica")
    live.execute(APPROVE, [request, "ada", "ada", True])
    for is_set, lines in (("", 1), ("true", 0)):
        monkeypatch.setenv("STRADES_LIVE_ONE_PERSON", is_set)
        settings.cache_clear()
        with connect(database_url) as trading:
            assert len(live_refusals(trading)) == lines
    settings.cache_clear()


@pytest.mark.parametrize("statement", [
    "INSERT INTO trading.live_requests (request_key, wallet, limits, reason, requested_by, requested_at) "
    "VALUES (gen_random_uuid(), 'money', '{}', 'x', 'ada', now() - interval '60 s')",
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


def test_the_refusal_says_what_to_do_until_it_is_approved(live: psycopg.Connection[Any], database_url: str) -> None:
    with connect(database_url) as trading:
        assert live_refusals(trading) == {
            "money": "live needs an approval: ask for it on the page Live of the dashboard"
        }
        with connect(database_url, role=DASHBOARD_ROLE) as dashboard:
            approve_live(dashboard, "money")
        assert live_refusals(trading) == {}
        live.execute("UPDATE trading.wallets SET limits = '{\"max_orders_per_minute\": 9}'")
        assert live_refusals(trading)["money"].startswith("its limits have changed since live was approved")
        # Halted, it would cancel for good each emulated stop that the market touches.
        assert live.execute(STATE).fetchone() == ("reducing",)
        live.execute("UPDATE trading.wallets SET limits = '{}'")
        assert live_refusals(trading) == {}
        live.execute(SLEEVE, ["5"])
        assert live_refusals(trading)["money"].startswith("its strategies have changed since live was approved")
        assert live.execute("SELECT state FROM trading.sleeve_states").fetchall() == [("reducing",)]


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
