"""Killed between the steps of going live: what is sent is what the word of two people covers, once."""

import re
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import dashboard
from sandbox.venue import execution
from sandbox.venue.venues import KEY, SECRET
from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from strades_pipelines.settings import settings
from tests.brokerage.approvals import let_time_pass
from tests.brokerage.at_venue import PRICE, SYMBOL
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, MINUTE, START, Connection, rows
from tests.children import run_child
from tests.dashboard import live_step_child
from tests.dashboard.live_step_child import LIVE
from tests.sandbox.serving import Served, served

STEPS = ("open", "request", "approve", "send", "revoke")
# Where each step is killed, and whether the word of two people is in force then.
POINTS = {
    "trading.wallet_opened": ("open", False),
    "dashboard.live_request_written": ("request", False),
    "dashboard.live_request_committed": ("request", False),
    "dashboard.live_approval_written": ("approve", False),
    "dashboard.live_approval_committed": ("approve", True),
    "trading.intents_committed": ("send", True),
    "trading.order_submitting": ("send", True),
    "trading.order_sent": ("send", True),
    "trading.order_acknowledged": ("send", True),
    "dashboard.live_revocation_written": ("revoke", True),
    "dashboard.live_revocation_committed": ("revoke", False),
}
# By the rows alone: the view that the gate reads is what is tested.
IN_FORCE = """
    SELECT count(*) FROM trading.live_requests AS r, trading.live_approvals AS a
    WHERE a.request_id = r.request_id AND a.approved_by <> r.requested_by
        AND r.request_id NOT IN (SELECT request_id FROM trading.live_revocations)
"""


class Desk:
    """A live wallet at the sandbox's venue, and what reached it."""

    def __init__(self, market: Connection, url: str, server: Served) -> None:
        self.market, self.url = market, url
        self.exchange = server.app.venues["alpaca"].exchange
        self.broker: Any = AlpacaBroker(
            new_client(KEY, SECRET, f"{server.url}/paper-api.alpaca.markets"), {AAPL: SYMBOL}
        )
        self.now = START + 2 * MINUTE
        self.expected: set[str] = set()

    def decide(self) -> None:
        """Another order for one share, which is to reach the venue where two people's word is in force."""
        at = START + MINUTE
        request = OrderRequest(Decimal(1), OrderTerms())
        made = TradingDecision(LIVE.name, str(uuid4()), 0, AAPL, at, "bar", "b", 0, 0.0, 0.0, "why", {}, request)
        assert insert(self.market, "signals.decisions", decision_row(made, at))
        self.market.commit()
        if self.is_in_force():
            self.expected.add(made.intent_id())

    def is_in_force(self) -> bool:
        return rows(self.market, IN_FORCE) == [(1,)]

    def is_killed(self, step: str, crash_at: str) -> bool:
        """Run a step in a process of its own; whether it was killed at the point."""
        words = self.url, step, self.now.isoformat()
        code = run_child("tests.dashboard.live_step_child", *words, STRADES_CRASH_AT=crash_at)
        return code == -signal.SIGKILL

    def execute(self) -> None:
        """A pass a minute later: what a venue does not find is sent again after its grace."""
        self.now += MINUTE
        execute_pending(self.market, self.broker, LIVE.name, now=self.now)

    def trade(self) -> None:
        """A pass with a new decision; what the venue has is exactly what two people's word covered."""
        self.decide()
        self.execute()
        assert sorted(order.ticket.client_order_id for order in self.exchange.orders.values()) == sorted(self.expected)


@pytest.fixture
def desk(market: Connection, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The wallet is not opened yet; Apple trades at one price."""
    monkeypatch.setenv("STRADES_LIVE_TRADING", "true")
    with served(now=None, extra=tmp_path) as server:
        monkeypatch.setenv("STRADES_SANDBOX_URL", server.url)
        settings.cache_clear()
        execution.hold_price(server.app.venues["alpaca"].exchange, SYMBOL, Decimal(PRICE), None)
        prepare(market, AAPL)
        yield Desk(market, site, server)


@pytest.mark.parametrize("point", POINTS)
def test_whatever_is_killed_a_live_wallet_sends_only_with_the_word_of_two(point: str, desk: Desk, site: str) -> None:
    killed_step, in_force_then = POINTS[point]
    with psycopg.connect(site, autocommit=True) as superuser:
        for step in STEPS:
            if step == "send":
                desk.decide()
            if step == killed_step:
                assert desk.is_killed(step, point)
                let_time_pass(superuser, 60)
                assert desk.is_in_force() == in_force_then
                desk.execute()
                desk.trade()
            live_step_child.main(site, step, desk.now)  # again where it was killed
            let_time_pass(superuser, 60)
            desk.trade()
            assert desk.is_in_force() == (step in ("approve", "send"))
        assert rows(desk.market, "SELECT count(*) FROM trading.live_requests") == [(1,)]
        assert rows(desk.market, "SELECT count(*) FROM trading.live_revocations") == [(1,)]


def test_no_point_of_going_live_is_left_out() -> None:
    sources = [path.read_text() for path in Path(dashboard.__file__).parent.rglob("*.py")]
    named = {name for source in sources for name in re.findall(r'crash_point\("(dashboard\.live_\w+)"\)', source)}
    assert named == {point for point in POINTS if point.startswith("dashboard.")}
