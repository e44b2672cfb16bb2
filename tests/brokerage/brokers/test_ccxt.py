"""What is special to venues through ccxt: exact figures, fees in coins, errors, keys, and the whole account."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, getcontext
from typing import Any

import ccxt
import pytest
import requests

from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY
from strades_pipelines.brokerage.brokers.alpaca.mapping import venue_fill as alpaca_fill
from strades_pipelines.brokerage.brokers.ccxt.account import SANDBOX_KEYS, new_exchange, open_account, sandbox_urls
from strades_pipelines.brokerage.brokers.ccxt.broker import CcxtBroker
from strades_pipelines.brokerage.brokers.ccxt.client import Client, translated
from strades_pipelines.brokerage.brokers.ccxt.mapping import venue_fill, venue_order
from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue import Holding
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, NotSent, RateLimited, Rejected, Unknown
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.findings import open_findings
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.reconcile import reconcile
from strades_pipelines.brokerage.trading_rows import order_event_row
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.settings import SettingsError, settings
from strades_pipelines.system.secret_values import remember_secret
from tests.brokerage.at_venue import AtGate
from tests.brokerage.brokers.benches import VenueBench, decide, order, posted_by
from tests.brokerage.conftest import BTC, START, Connection, rows

SetWorld = Callable[[str], None]


@pytest.fixture
def set_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetWorld]:
    """Sets the world until the end of the test."""

    def set_to(world: str) -> None:
        monkeypatch.setenv("STRADES_WORLD", world)
        settings.cache_clear()

    yield set_to
    monkeypatch.undo()
    settings.cache_clear()


def test_an_order_expires_at_the_venue_before_it_may_be_sent_again(gate: VenueBench) -> None:
    sent = posted_by(gate)
    gate.broker.submit(order(gate), at=gate.clock())
    now = ccxt.Exchange.milliseconds()
    assert now < int(sent[0]["expires"]) < now + gate.broker.grace.total_seconds() * 1000


def test_the_fee_of_a_purchase_is_in_the_coin_that_was_bought(gate: VenueBench) -> None:
    # 0.2 % of 3 coins, and of 3 coins at 100 when they are sold: the quote currency is the wallet's own.
    [bought] = gate.broker.submit(order(gate), at=gate.clock()).fills
    assert (bought.fee, bought.fee_currency) == (Decimal("0.006"), "BTC")
    [sold] = gate.broker.submit(order(gate, "2", "sell"), at=gate.clock()).fills
    assert (sold.fee, sold.fee_currency) == (Decimal("0.4"), None)


def test_ccxt_leaves_the_rounding_of_our_decimals_alone(gate: VenueBench) -> None:
    before = getcontext().copy()
    gate.broker.submit(order(gate, limit="90"), at=gate.clock())
    assert (getcontext().rounding, getcontext().traps) == (before.rounding, before.traps)


def test_the_account_is_told_whole(gate: VenueBench) -> None:
    broker = gate.broker
    assert isinstance(broker, CcxtBroker)
    early, late, resting = order(gate, "1"), order(gate, "2"), order(gate, "1", limit="50")
    broker.submit(early, at=gate.clock())
    gate.clock.move(3600)
    since = gate.clock()
    for made in (late, resting):
        broker.submit(made, at=gate.clock())
    account = broker.account(since, at=gate.clock())
    assert [(one.order.client_order_id, one.symbol, one.listing_id) for one in account.orders] == [
        (resting.intent_id, "BTC_USDT", BTC)
    ]
    [told] = account.fills
    assert (told.client_order_id, told.side, told.fill.quantity) == (late.intent_id, "buy", Decimal(2))
    assert (told.symbol, told.listing_id) == ("BTC_USDT", BTC)
    # 100,000 less 3 coins at 100; what the resting order holds back counts. Of 3 coins 0.2 % went.
    assert account.cash == {"USDT": Decimal(99_700)}
    assert account.holdings == (Holding("BTC_USDT", BTC, Decimal("2.994")),)


def test_all_pages_of_the_fills_are_read(gate: VenueBench) -> None:
    broker = gate.broker
    assert isinstance(broker, CcxtBroker)
    gate.at.venue.limits_are_on = False
    for _ in range(230):
        broker.submit(order(gate, "0.1"), at=gate.clock())
    fills = broker.account(START, at=gate.clock()).fills
    assert len({told.fill.venue_fill_id for told in fills}) == len(fills) == 230


def test_an_order_of_another_program_with_our_id_is_not_taken_for_ours(gate: VenueBench) -> None:
    made = order(gate, limit="90")
    assert isinstance(gate.at, AtGate)
    gate.at.client.call("create_order", "BTC/USDT", "limit", "buy", "1", "80", {"clientOrderId": made.intent_id})
    found = gate.broker.lookup(made, at=gate.clock())
    assert found is not None
    assert found.quantity == 1  # which execution calls a contradiction


def answer(status: int, **headers: str) -> requests.Response:
    """A response with that status."""
    made = requests.Response()
    made.status_code, made._content = status, b"said"
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def caused(error: Exception, cause: Exception) -> Exception:
    """An exception of ccxt with its cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "response", "kind"),
    [
        (ccxt.RequestTimeout("x"), None, Unknown),
        (caused(ccxt.RequestTimeout("x"), requests.ReadTimeout()), None, Unknown),
        (caused(ccxt.RequestTimeout("x"), requests.ConnectTimeout()), None, NotSent),
        (caused(ccxt.NetworkError("x"), requests.ConnectionError("reset")), None, Unknown),
        (ccxt.ArgumentsRequired("x"), None, Rejected),
        (ccxt.ExchangeNotAvailable("x"), answer(502), Unknown),
        (ccxt.InvalidOrder("x"), answer(500), Unknown),
        (ccxt.RequestTimeout("x"), answer(408), Unknown),
        (ccxt.ExchangeError("x"), answer(400), Rejected),
        (ccxt.InsufficientFunds("x"), answer(200), Rejected),
        (ccxt.ExchangeError("x"), answer(200), Unknown),
        (ccxt.AuthenticationError("x"), answer(401), NotSent),
        (ccxt.InvalidNonce("x"), answer(400), NotSent),
        (ccxt.RateLimitExceeded("x"), answer(200), RateLimited),
        (ccxt.ExchangeNotAvailable("x"), answer(429), RateLimited),
        (ccxt.DDoSProtection("x"), answer(418), RateLimited),
    ],
)
def test_an_error_says_only_what_is_certain(
    error: Exception, response: requests.Response | None, kind: type[BrokerError]
) -> None:
    assert type(translated(error, response)) is kind


def test_a_rate_limit_lasts_as_long_as_the_venue_says_or_ten_seconds() -> None:
    for headers, seconds in (
        ({"Retry_After": "7"}, 7),
        ({}, 10),
        ({"Retry_After": "soon"}, 10),
        ({"Retry_After": "9" * 30}, 10),
    ):
        limited = translated(ccxt.RateLimitExceeded("x"), answer(429, **headers))
        assert isinstance(limited, RateLimited)
        assert limited.retry_after == timedelta(seconds=seconds)


def test_a_venue_that_cannot_be_reached_was_sent_nothing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        client = Client(new_exchange("gate", {**SANDBOX_KEYS, "urls": sandbox_urls("gate", url)}))
        with pytest.raises(NotSent):
            client.load_markets()


def test_wrong_keys_are_no_refusal_of_the_order(gate: VenueBench, market: Connection) -> None:
    assert isinstance(gate.at, AtGate)
    gate.at.client.exchange.secret = "another"
    decide(gate, market)
    execute_pending(market, gate.broker, "gate", now=gate.clock())
    [(state, reason)] = rows(market, "SELECT state, reason FROM trading.orders")
    assert state == "planned"
    assert "are the keys and this machine's clock right?" in reason


def test_a_key_that_a_venue_repeats_is_nowhere(
    gate: VenueBench, market: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "canary-4711-of-gate"
    remember_secret(canary)
    venue: Venue = gate.at.venue
    venue.exchange.open_account(canary, canary, {"USDT": Decimal(1)}, Decimal(1))
    assert isinstance(gate.at, AtGate)
    exchange = gate.at.client.exchange
    gate.at.client.load_markets()
    exchange.apiKey = exchange.secret = canary
    real = venue.api.server_error
    monkeypatch.setattr(venue.api, "server_error", lambda status: _echo(real(status), canary))
    gate.misbehave("error_after", "submit")
    decide(gate, market, "0.01", limit="99")
    execute_pending(market, gate.broker, "gate", now=gate.clock())
    assert rows(market, "SELECT state FROM trading.orders") == [("unknown",)]
    kept = rows(market, "SELECT reason, message FROM trading.order_events")
    assert any(message for _, message in kept)
    assert canary not in repr(kept)
    assert canary not in caplog.text


def test_a_key_in_an_answer_is_masked_in_what_is_kept_of_it() -> None:
    canary = "canary-4712-of-gate"
    remember_secret(canary)
    row = order_event_row("I", OrderState.UNKNOWN, START, reason=f"key {canary}", message=f"key={canary}".encode())
    assert (row["reason"], row["message"]) == ("key ***", b"key=***")


def _echo(reply: Any, canary: str) -> Any:
    return replace(reply, body=f'{{"label": "SERVER_ERROR", "message": "key {canary}"}}'.encode())


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("open", "1", OrderState.ACCEPTED),
        ("closed", "2", OrderState.FILLED),
        ("closed", "1", OrderState.CANCELLED),
        ("canceled", "1", OrderState.CANCELLED),
        ("depth_not_enough", "0", OrderState.CANCELLED),
        ("expired", "0", OrderState.EXPIRED),
        ("rejected", "0", OrderState.REJECTED),
        ("under_review", "0", OrderState.UNKNOWN),
        (None, "0", OrderState.UNKNOWN),
    ],
)
def test_states_are_ours_or_unknown(status: str | None, filled: str, state: OrderState) -> None:
    document = {"id": "1", "clientOrderId": "t-A", "status": status, "amount": "2", "filled": filled, "side": "buy"}
    assert venue_order(document, (), None, prefix="t-", quote="USDT").state is state


@pytest.mark.parametrize("lacks", ["id", "status", "amount"])
def test_an_order_that_lacks_a_field_is_unknown(lacks: str) -> None:
    document = {"id": "1", "clientOrderId": "t-A", "status": "open", "amount": "2", "filled": "0"}
    del document[lacks]
    found = venue_order(document, (), b"said", prefix="t-", quote="USDT")
    assert (found.client_order_id, found.state, found.message) == ("A", OrderState.UNKNOWN, b"said")


def test_the_wallets_broker_names_the_venue(gate: VenueBench, market: Connection) -> None:
    opened = venue_for(gate.wallet, market)
    assert isinstance(opened, CcxtBroker)
    assert opened.name == "ccxt:gate"


@pytest.mark.parametrize(
    ("world", "venue", "said"),
    [
        ("sandbox", "binance", "the sandbox speaks as"),
        ("live", "nowhere", "expected ccxt: and a venue that ccxt"),
        ("live", "kraken", "kraken has no test network"),
        ("live", "gate", "GATE_API_KEY is not set"),
    ],
)
def test_a_venue_where_nothing_can_be_traded_is_one_line(
    world: str, venue: str, said: str, set_world: SetWorld
) -> None:
    set_world(world)
    with pytest.raises(SettingsError, match=said):
        open_account(venue, {BTC: "BTC_USDT"}, is_live=False)


def test_a_paper_wallet_trades_at_the_test_network(set_world: SetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    set_world("live")
    monkeypatch.setenv("GATE_API_KEY", "a-key-of-gate")
    monkeypatch.setenv("GATE_SECRET_KEY", "a-secret-of-gate")
    urls = open_account("gate", {BTC: "BTC_USDT"}, is_live=False)._client.exchange.urls["api"]["private"]
    assert urls["spot"] == "https://api-testnet.gateapi.io/api/v4"
    urls = open_account("gate", {BTC: "BTC_USDT"}, is_live=True)._client.exchange.urls["api"]["private"]
    assert urls["spot"] == "https://api.gateio.ws/api/v4"


def test_the_key_of_the_sandbox_is_the_sandboxs() -> None:
    assert SANDBOX_KEYS["apiKey"] == KEY


@pytest.mark.parametrize("hostile", ["NaN", "sNaN", "Infinity", "-1", "0", "", "much", None, [], {}, True, "1e200000"])
@pytest.mark.parametrize("field", ["amount", "price", "timestamp", "fee"])
def test_a_fill_with_an_impossible_figure_is_none_and_its_order_unknown(field: str, hostile: Any) -> None:
    trade: dict[str, Any] = {"id": "7", "order": "1", "amount": "2", "price": "100", "timestamp": 1_700_000_000_000}
    trade[field] = hostile if field != "fee" else {"cost": hostile, "currency": "BTC"}
    document = {"id": "1", "clientOrderId": "t-A", "status": "closed", "amount": "2", "filled": "2", "side": "buy"}
    found = venue_order(document, [trade], b"said", prefix="t-", quote="USDT")
    if found.state is not OrderState.UNKNOWN:
        [fill] = found.fills
        assert all(number.is_finite() for number in (fill.quantity, fill.price, fill.fee))
        assert field in ("timestamp", "fee")


@pytest.mark.parametrize("hostile", ["NaN", "Infinity", "-1", "0", "much", None, [], "1e200000"])
def test_an_order_of_an_impossible_size_is_unknown(hostile: Any) -> None:
    document = {"id": "1", "clientOrderId": "t-A", "status": "open", "amount": hostile, "filled": "0"}
    assert venue_order(document, (), None, prefix="t-", quote="USDT").state is OrderState.UNKNOWN


def test_a_fee_in_coins_makes_the_position_smaller_and_no_finding(gate: VenueBench, market: Connection) -> None:
    # 3 coins at 100, of which Gate.io keeps 0.2 %: 2.994 are held, and 300 are paid.
    decide(gate, market)
    for _ in range(2):
        execute_pending(market, gate.broker, gate.wallet.name, now=gate.clock())
        gate.settle()
    assert rows(market, "SELECT quantity FROM trading.positions") == [(Decimal("2.994"),)]
    assert rows(market, "SELECT balance FROM trading.cash WHERE currency = 'USDT'") == [(Decimal(99_700),)]
    assert verify_ledger(market, gate.wallet.name) == []
    broker = gate.broker
    assert isinstance(broker, CcxtBroker)
    reconcile(market, broker, [load_wallet(market, gate.wallet.name)], now=gate.clock())
    assert open_findings(market) == []


def test_open_orders_are_cancelled_by_gate_io_when_it_hears_no_more_of_us(gate: VenueBench) -> None:
    broker, resting = gate.broker, order(gate, limit="90")
    assert isinstance(broker, CcxtBroker)

    def state_after(seconds: float) -> OrderState | None:
        gate.clock.move(seconds)
        found = broker.lookup(resting, at=gate.clock())
        return found.state if found else None

    broker.submit(resting, at=gate.clock())
    for _ in range(3):
        broker.keep_alive(5)
        assert state_after(4) is OrderState.ACCEPTED
    broker.keep_alive(0)
    assert state_after(60) is OrderState.ACCEPTED
    broker.keep_alive(5)
    assert state_after(6) is OrderState.CANCELLED


@pytest.mark.parametrize("venue_id", [None, "", True])
def test_a_fill_without_an_id_is_no_fill(venue_id: object) -> None:
    # Booked under the word None, it would be booked again under its own id with the next answer.
    trade = {"id": venue_id, "amount": "1", "price": "100", "fee": None, "timestamp": 1_700_000_000_000}
    with pytest.raises(ValueError, match="expected an id"):
        venue_fill(trade, "USDT")
    activity = {"id": venue_id, "qty": "1", "price": "100", "transaction_time": "2024-01-02T00:00:00Z"}
    with pytest.raises(ValueError, match="expected an id"):
        alpaca_fill(activity)
