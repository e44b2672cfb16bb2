"""A live wallet, in the sandbox at the sandbox's venue: it trades where each condition holds, and says which lacks."""

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from sandbox.venue import execution as exchange_steps
from sandbox.venue import order_entry
from sandbox.venue.orders import OrderType, Side, Ticket
from sandbox.venue.venues import KEY
from strades_pipelines.brokerage import trading_code
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import read_wallets
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.operations.trade_loop import TradeLoop
from strades_pipelines.settings import settings
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.approvals import approve_live
from tests.ingestion.conftest import add_listing
from tests.operations.test_trading import START, World, mine, wallet
from tests.research.bars import Run
from tests.sandbox.serving import Served, served

__all__ = ["mine"]
ENTRY = {
    "name": "money",
    "mode": "live",
    "confirm_live": "money",
    "broker": "alpaca",
    "strategy": "sma_cross",
    "parameters": {"fast": 1, "slow": 2, "size": 2},
    "instruments": ["yahoo:AAPL"],
    "interval": "1m",
    "currency": "USD",
    "cash": 50_000,
    "opened_at": START.isoformat(),
}
Write = Callable[..., None]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The venue: Apple trades at 100."""
    with served(now=None, extra=tmp_path) as running:
        exchange_steps.hold_price(running.app.venues["alpaca"].exchange, "AAPL", Decimal(100), None)
        monkeypatch.setenv("STRADES_SANDBOX_URL", running.url)
        yield running


@pytest.fixture
def listed(server: Served, mine: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes Wallets.json: `ENTRY` with changes, without the keys that are None. Its strategy wants to buy 2."""
    file = tmp_path / "Wallets.json"
    monkeypatch.setenv("STRADES_WALLETS", str(file))
    monkeypatch.setenv("STRADES_LIVE_TRADING", "true")
    mine.go_on(1)
    with psycopg.connect(mine.url) as connection:
        add_listing(connection, "yahoo", "AAPL")
        for n, close in enumerate([100.0, 100.0, 101.0]):
            closed = START + timedelta(minutes=n + 1)
            connection.execute(
                """
                INSERT INTO records.candles
                SELECT listing_id, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s
                FROM records.listings WHERE symbol = 'AAPL'
                """,
                [closed - timedelta(minutes=1), closed, *[close] * 4, closed, closed],
            )

    def write(**changes: Any) -> None:
        entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}
        file.write_text(json.dumps({"wallets": [entry]}))
        settings.cache_clear()

    write()
    return write


class Enlarging(Strategy):
    """A small entry, and an order behind it that is no exit."""

    name: ClassVar[str] = "enlarging"

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Once."""
        if account.next_number == 1:
            account.order(bar.i, 300.0, parent=account.order(bar.i, 1.0), reduce_only=bar.close == 100.0)


class KeptBack(Strategy):
    """A stop to buy that Strades watches, since it is of a group."""

    name: ClassVar[str] = "kept_back"

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Once."""
        if account.next_number == 1 and bar.close == 101.0:
            account.order(bar.i, 300.0, stop=105.0, group=account.new_group())


@pytest.fixture
def approved(listed: Write, mine: World) -> None:
    """The wallet, opened, and approved by two people."""
    approve(mine)


def approve(mine: World) -> None:
    """Open the wallet as it is listed, and approve it as two people."""
    [template] = read_wallets(settings().wallets).templates
    with connect(mine.url) as connection:
        open_wallet(connection, template, now=settings().now())
        connection.commit()
        approve_live(connection, "money")


def orders(server: Served) -> list[tuple[str, Decimal]]:
    """What the venue has: side and filled of each order."""
    return [(order.ticket.side.value, order.filled) for order in server.app.venues["alpaca"].exchange.orders.values()]


def test_a_live_wallet_whose_account_is_reconciled_trades(
    strades: Run, mine: World, server: Served, approved: None
) -> None:
    first = strades("trade", "--seconds", 0, "--json")
    assert (first.code, first.document["sent"]) == (0, 1)
    assert strades("trade", "--seconds", 0, "--json").code == 0
    assert orders(server) == [("buy", Decimal(2))]
    assert mine.rows("SELECT mode, broker FROM trading.wallets WHERE wallet = 'money'") == [("live", "alpaca")]
    assert mine.rows("SELECT quantity, price FROM trading.fills") == [(2, 100)]
    assert mine.rows(
        "SELECT account, wallets, findings FROM trading.reconciliations WHERE account <> 'paper/mine'"
    ) == [("alpaca/sandbox", ["money"], 0)]
    # The account has 100,000, the wallet counts on half of it.
    assert mine.rows("SELECT external_cash FROM trading.reconciliations WHERE account = 'alpaca/sandbox'") == [
        ({"USD": "50000"},)
    ]


@pytest.mark.parametrize(
    ("setting", "changes", "message"),
    [
        ("", {}, "wallets[0].mode: live needs STRADES_LIVE_TRADING=true, was not set; use paper"),
        ("true", {"confirm_live": None}, "wallets[0].confirm_live: expected 'money', was None"),
        ("true", {"confirm_live": "Money"}, "wallets[0].confirm_live: expected 'money', was 'Money'"),
        ("true", {"broker": None}, "wallets[0].broker: live needs a broker that trades with money, was 'paper'"),
    ],
)
def test_where_a_condition_lacks_nothing_is_sent_and_the_line_says_which(
    setting: str,
    changes: dict[str, Any],
    message: str,
    strades: Run,
    mine: World,
    server: Served,
    listed: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STRADES_LIVE_TRADING", setting)
    listed(**changes)
    answer = strades("trade", "--seconds", 0, "--json")
    assert answer.code == 1
    assert message in answer.document["errors"]["money"]
    assert "\n" not in answer.document["errors"]["money"]
    assert orders(server) == []
    assert mine.rows("SELECT count(*) FROM trading.wallets WHERE mode = 'live'") == [(0,)]


def test_a_wallet_that_was_opened_live_sends_nothing_once_the_setting_is_gone(
    strades: Run, mine: World, server: Served, approved: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    strades("trade", "--seconds", 0)
    monkeypatch.setenv("STRADES_LIVE_TRADING", "")
    settings.cache_clear()
    answer = strades("order", "money", "AAPL", "1")
    assert answer.code == 2
    assert "wallet money: live needs STRADES_LIVE_TRADING=true, was not set" in answer.err
    assert len(orders(server)) == 1


def test_other_code_under_the_strategys_name_sends_exits_alone_until_it_is_approved(
    strades: Run, mine: World, server: Served, approved: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once the old code is back: it takes a new approval."""
    assert strades("trade", "--seconds", 0, "--json").document["sent"] == 1
    line = "its code has changed since live was approved: ask again on the page Live of the dashboard"
    for code in ("other", trading_code.LOADED):
        monkeypatch.setattr(trading_code, "LOADED", code)
        answer = strades("trade", "--seconds", 0, "--json")
        assert (answer.code, answer.document["not_approved"]) == (0, {"money": line})
        by_hand = strades("order", "money", "AAPL", "1")
        assert by_hand.code == 2
        assert f"wallet money: {line}" in by_hand.err
    assert orders(server) == [("buy", Decimal(2))]
    assert strades("order", "money", "AAPL", "-1", "--reduce-only").code == 0
    assert strades("halt", "--wallet", "money", "--flatten").code == 0
    assert orders(server) == [("buy", Decimal(2)), ("sell", Decimal(1)), ("sell", Decimal(1))]


def test_while_a_finding_stands_a_live_wallet_sends_nothing(
    strades: Run, mine: World, server: Served, approved: None
) -> None:
    exchange = server.app.venues["alpaca"].exchange
    order_entry.place(exchange, KEY, Ticket("AAPL", Side.BUY, OrderType.LIMIT, Decimal(1), limit_price=Decimal(50)))
    assert strades("trade", "--seconds", 0).code == 0
    assert len(orders(server)) == 1
    held = wallet(strades, "money")
    assert (held["state"], held["reason"].split(" (")[0]) == ("halted", "reconciliation: external_order AAPL")
    [found] = strades("reconcile", "--wallet", "money", "--json").document["findings"]
    assert strades("ignore", found["finding_id"], "--reason", "my own").code == 0
    assert strades("resume", "--wallet", "money").code == 0
    assert strades("order", "money", "AAPL", "1").code == 0
    assert len(orders(server)) == 2


def test_a_live_wallet_waits_for_a_venue_that_does_not_answer(
    strades: Run, mine: World, server: Served, approved: None
) -> None:
    rule = {"venue": "alpaca", "kind": "error_before", "operations": ["account"], "status": 503}
    server.control("faults", **rule)
    answer = strades("trade", "--seconds", 0, "--json")
    assert answer.code == 1
    assert answer.document["errors"]["money"].startswith(
        "live needs an account that is reconciled, its venue does not answer: HTTP 503"
    )
    by_hand = strades("order", "money", "AAPL", "1")
    assert by_hand.code == 2
    assert "live needs an account that is reconciled" in by_hand.err
    assert orders(server) == []
    server.app.venues["alpaca"].faults.rules.clear()
    assert strades("trade", "--seconds", 0, "--json").document["sent"] == 1


def test_a_wallet_that_waits_for_its_approval_does_not_have_the_loop_connect_again(mine: World, listed: Write) -> None:
    """Two passes on one set of connections: the iterator of one set has a second."""
    loop = TradeLoop(None, every=0)
    passes = loop._passes(None)
    next(passes)
    next(passes)
    assert (loop.totals["passes"], loop.errors, list(loop.not_approved)) == (2, {}, ["money"])


def test_without_the_word_of_two_a_live_wallet_sends_nothing_and_each_way_to_trade_says_what_to_do(
    strades: Run, mine: World, server: Served, listed: Write
) -> None:
    line = "live needs an approval: ask for it on the page Live of the dashboard"
    answer = strades("trade", "--seconds", 0, "--json")
    assert (answer.code, answer.document["errors"], answer.document["not_approved"]) == (0, {}, {"money": line})
    assert f"money: {line}" in answer.err
    by_hand = strades("order", "money", "AAPL", "1")
    assert by_hand.code == 2
    assert f"wallet money: {line}" in by_hand.err
    held = wallet(strades, "money")
    assert (held["state"], held["reason"]) == ("halted", line)
    assert strades("halt", "--wallet", "money", "--flatten").code == 0  # nobody else is needed for that
    assert orders(server) == []


def add_bar(mine: World, minute: int, close: float) -> None:
    """A bar of Apple's that closes in that minute."""
    closed = START + timedelta(minutes=minute)
    with psycopg.connect(mine.url) as connection:
        connection.execute(
            """
            INSERT INTO records.candles
            SELECT listing_id, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s
            FROM records.listings WHERE symbol = 'AAPL'
            """,
            [closed - timedelta(minutes=1), closed, *[close] * 4, closed, closed],
        )


@pytest.mark.parametrize(("close", "code"), [(101.0, "order_notional"), (100.0, "reduce_only")])
def test_an_order_behind_another_that_is_no_exit_of_it_passes_no_limit(
    strades: Run,
    mine: World,
    server: Served,
    listed: Write,
    monkeypatch: pytest.MonkeyPatch,
    close: float,
    code: str,
) -> None:
    """300 behind an entry of 1; where they only reduce, the venue would not know."""
    monkeypatch.setitem(strategies(), Enlarging.name, Enlarging)
    listed(strategy=Enlarging.name, parameters={}, limits={"max_order_notional": 200})
    with psycopg.connect(mine.url) as connection:
        connection.execute("DELETE FROM records.candles WHERE close <> %s", [close])
    approve(mine)
    for _ in range(3):
        strades("trade", "--seconds", 0)
        mine.go_on(1)
    assert orders(server) == [("buy", Decimal(1))]
    assert mine.rows("SELECT code FROM trading.refusals") == [(code,)]


@pytest.mark.parametrize("ended", [
    "INSERT INTO trading.live_revocations (request_id, revoked_by) SELECT request_id, 'bob' FROM trading.live_requests",
    "UPDATE trading.wallets SET limits = '{\"max_order_notional\": 1}'",
    "UPDATE trading.wallets SET code_hash = 'other'",
])  # fmt: skip
def test_what_was_planned_under_an_approval_that_ended_is_not_sent_under_the_next(
    strades: Run, mine: World, server: Served, listed: Write, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    """Also where no pass came between."""
    monkeypatch.setitem(strategies(), KeptBack.name, KeptBack)
    listed(strategy=KeptBack.name, parameters={})
    approve(mine)
    strades("trade", "--seconds", 0)
    assert mine.rows("SELECT state FROM trading.orders") == [("planned",)]
    with psycopg.connect(mine.url) as owner:
        owner.execute(ended)
    approve(mine)
    add_bar(mine, 4, 106.0)
    mine.go_on(2)
    strades("trade", "--seconds", 0)
    assert orders(server) == []
    reason = "cancelled by the end of the approval that it was planned under; it was never sent"
    assert mine.rows("SELECT state, reason FROM trading.orders") == [("cancelled", reason)]


def test_what_was_planned_under_the_approval_that_counts_is_sent(
    strades: Run, mine: World, server: Served, listed: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(strategies(), KeptBack.name, KeptBack)
    listed(strategy=KeptBack.name, parameters={})
    approve(mine)
    strades("trade", "--seconds", 0)
    add_bar(mine, 4, 106.0)
    mine.go_on(2)
    strades("trade", "--seconds", 0)
    assert orders(server) == [("buy", Decimal(300))]


def test_a_file_that_is_edited_changes_nothing_of_what_a_process_trades_and_says(
    strades: Run, mine: World, server: Served, listed: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has loaded A, the file becomes B: what people are shown, and approve, is still A."""
    strades("trade", "--seconds", 0)
    [(loaded,)] = mine.rows("SELECT code_hash FROM trading.wallets WHERE wallet = 'money'")
    file, read = Path(inspect.getfile(SmaCross)), Path.read_bytes
    edited = b"raise SystemExit  # nobody has loaded this"
    monkeypatch.setattr(Path, "read_bytes", lambda path: edited if path == file else read(path))
    strades("trade", "--seconds", 0)
    assert mine.rows("SELECT code_hash FROM trading.wallets WHERE wallet = 'money'") == [(loaded,)]


def test_a_process_with_other_code_decides_nothing_for_a_live_wallet(
    strades: Run, mine: World, server: Served, approved: None
) -> None:
    """As one that streams, and was restarted with another version than the one that trades."""
    with psycopg.connect(mine.url) as owner:
        owner.execute("UPDATE trading.wallets SET code_hash = 'other'")
    with connect(mine.url) as connection, closing(adbc_connect(mine.url)) as adbc:
        with pytest.raises(ValueError, match=r"^this process has loaded other code than that of the live wallet: "):
            decide(connection, adbc, "money", now=settings().now())
        connection.rollback()
        adbc.rollback()
    assert mine.rows("SELECT count(*) FROM signals.decisions") == [(0,)]


@pytest.mark.parametrize("changes", [{"max_decision_age_minutes": 525_600}, {"dead_man_seconds": 30}])
def test_how_old_a_decision_and_a_silence_may_be_is_approved_too(
    strades: Run, mine: World, server: Served, approved: None, listed: Write, changes: dict[str, Any]
) -> None:
    listed(**changes)
    answer = strades("trade", "--seconds", 0, "--json")
    line = "its limits have changed since live was approved: ask again on the page Live of the dashboard"
    assert answer.document["not_approved"] == {"money": line}
    assert orders(server) == []
    [(terms,)] = mine.rows("SELECT trading.live_terms(w) FROM trading.wallets AS w WHERE wallet = 'money'")
    assert terms == {"max_decision_age_minutes": 15} | changes


def test_a_halt_outlives_the_time_in_which_its_wallet_is_not_listed(
    strades: Run, mine: World, server: Served, listed: Write
) -> None:
    listed(mode="paper", confirm_live=None)
    strades("trade", "--seconds", 0)
    strades("halt", "--wallet", "money", "--reason", "do not touch")
    listed(mode="paper", confirm_live=None, name="other")
    for _ in range(2):
        strades("trade", "--seconds", 0)
    assert wallet(strades, "money")["state"] == "retired"
    listed(mode="paper", confirm_live=None)
    strades("trade", "--seconds", 0)
    held = wallet(strades, "money")
    assert (held["state"], held["reason"]) == ("halted", "do not touch")
    assert strades("order", "money", "AAPL", "1").code != 0
    assert strades("resume", "--wallet", "money").code == 0
    assert wallet(strades, "money")["state"] == "active"
