"""The limits of a paper wallet, in PostgreSQL: each refusal is a row with a code, and nothing is sent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import Unknown
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.equity_marks import Change, EquityMark, walk
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.person_orders import decide_by_hand, outcome_of
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.books import Books, Position
from strades_pipelines.market.order_terms import Order, OrderRequest, OrderTerms
from strades_pipelines.market.wallet_limits import parse_limits
from tests.brokerage.conftest import ETH, MINUTE, PAPER, REPLAY, START, AddCandles, Connection, rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Desk = Callable[..., "Hand"]
REFUSED = """
    SELECT d.decided_at, d.target, r.code
    FROM signals.decisions AS d LEFT JOIN trading.refusals AS r USING (decision_id)
    WHERE d.wallet = '{}' ORDER BY d.decided_at
"""
CANCEL_ALL = "INSERT INTO trading.cancel_requests SELECT decision_id, now(), 'me', now() FROM signals.decisions"
SENT = "SELECT count(*) FROM trading.paper_venue_orders"


class Silent(PaperBroker):
    """A venue whose answers are lost once it has the order."""

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        super().submit(order, at=at)
        raise Unknown("the connection was cut")

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        raise Unknown("the connection was cut")


class Hand:
    """A person's hand at one wallet, with limits."""

    def __init__(self, connection: Connection, venue: PaperBroker, wallet: Wallet) -> None:
        self.connection, self.venue, self.wallet = connection, venue, wallet
        self._microseconds = count()

    def order(self, quantity: str, now: datetime, *, listing: int = 0, **terms: Any) -> str:
        """The code of the refusal, or the state of the order."""
        terms = {name: Decimal(value) if isinstance(value, str) else value for name, value in terms.items()}
        request = Request(
            "order", Scope("wallet", self.wallet.name), "me", now + timedelta(microseconds=next(self._microseconds))
        )
        asked = OrderRequest(Decimal(quantity), OrderTerms(**terms))
        _, decision = decide_by_hand(self.connection, self.wallet, self.wallet.listings[listing], asked, request)
        self.connection.commit()
        self.step(now + timedelta(seconds=1))
        outcome = outcome_of(self.connection, decision)
        self.connection.commit()
        return (outcome.reason or "").partition(":")[0] if outcome.state == "refused" else outcome.state

    def step(self, now: datetime) -> None:
        """A pass of execution."""
        execute_pending(self.connection, self.venue, self.wallet.name, now=now)


@pytest.fixture
def desk(market: Connection, database_url: str) -> Any:
    """Opens the wallet with such limits."""
    with connect(database_url) as theirs:

        def opened(limits: dict[str, Any], *, venue: type[PaperBroker] = PaperBroker, **changes: Any) -> Hand:
            template = replace(PAPER, strategy="buy_and_hold", parameters={}, limits=parse_limits(limits), **changes)
            wallet = open_wallet(market, template, now=START)
            return Hand(market, venue(theirs, wallet), wallet)

        yield opened


@pytest.mark.parametrize(
    ("limits", "quantity", "terms", "code"),
    [
        ({"max_order_units": "2"}, ("2", "2.00001"), {}, "order_units"),
        ({"max_order_notional": "200"}, ("2", "2.00001"), {}, "order_notional"),
        ({"max_position_units": "2"}, ("2", "2.00001"), {}, "position_units"),
        ({"max_position_percent": "20"}, ("2", "2.00001"), {}, "notional_over_equity"),
        ({"max_gross_notional": "200"}, ("2", "2.00001"), {}, "gross_exposure"),
        ({"price_collar_percent": "5"}, ("1", "1.5"), {"limit": ("95", "94.9")}, "price_collar"),
        ({"max_price_age_seconds": "60"}, None, {}, "price_too_old"),
        ({"restricted": ["gateio:BTC_USDT"]}, None, {}, "restricted"),
    ],
)
def test_20_an_order_over_a_limit_is_a_row_with_its_code_and_is_not_sent(
    limits: dict[str, Any],
    quantity: tuple[str, str] | None,
    terms: dict[str, Any],
    code: str,
    desk: Desk,
    market: Connection,
    add_candles: AddCandles,
) -> None:
    """At the limit it is sent; a lot, or a tick, more is refused. The wallet has 1000, and the price is 100."""
    add_candles([100, 100])
    hand = desk(limits)
    now, sent = START + 2 * MINUTE, 0
    within, over = ({name: value[k] for name, value in terms.items()} for k in (0, 1))
    if quantity is not None:
        assert hand.order(quantity[0], now, **within) == "accepted"
        market.execute(
            "INSERT INTO trading.cancel_requests SELECT decision_id, now(), 'me', now() FROM signals.decisions"
        )
        hand.step(now)
        sent = 1
    late = now + MINUTE if code == "price_too_old" else now
    assert hand.order(quantity[1] if quantity else "1", late, **over) == code
    assert rows(market, "SELECT code FROM trading.refusals") == [(code,)]
    assert rows(market, SENT) == [(sent,)]


def test_20_closed_market_and_orders_a_minute(desk: Desk, market: Connection, add_days: AddCandles) -> None:
    """A stock's session is from 14:30 to 21:00 UTC; an exit by hand goes to the venue at any time."""
    add_days([100, 100])
    market.execute(
        "INSERT INTO records.sessions VALUES ('XNYS', '2024-01-04', '2024-01-04 14:30Z', '2024-01-04 21:00Z', false)"
    )
    market.commit()
    stock = {"instruments": ("yahoo:AAPL",), "interval": "1d", "currency": "USD"}
    hand = desk({"open_market_only": True, "max_orders_per_minute": 2}, **stock)
    opening = datetime.fromisoformat("2024-01-04T14:30:00+00:00")
    assert hand.order("1", opening - timedelta(seconds=2)) == "market_closed"
    assert [hand.order("1", opening + timedelta(seconds=10 * n)) for n in range(3)] == [
        "accepted",
        "accepted",
        "order_rate",
    ]
    assert hand.order("1", opening + timedelta(seconds=62)) == "accepted"
    assert hand.order("1", opening + timedelta(hours=6, minutes=30)) == "market_closed"
    assert rows(market, SENT) == [(3,)]


def test_20_losses_count_from_the_beginning_of_the_day_and_from_the_highest_equity(
    desk: Desk, market: Connection, add_candles: AddCandles
) -> None:
    """2 bought at 100 with a fee of 0.2: 999.8. They rise to 150 (1099.8), are at 125 at midnight, and fall."""
    evening = START + timedelta(hours=23, minutes=56)
    add_candles([100, 100, 150, 125, 124, 100, 99.9], opens=[100] * 7, start=evening)
    limits = {"max_daily_loss_percent": "4.9", "max_drawdown_percent": "50"}
    hand = desk(limits)
    assert hand.order("2", evening + MINUTE) == "accepted"
    midnight = evening + 4 * MINUTE
    hand.step(midnight - timedelta(seconds=1))
    # Before midnight the last bar closes at 150 (1099.8): that is the day's beginning, of which 4.9 % are 53.8902.
    assert hand.order("0.00001", midnight + timedelta(seconds=5)) == "accepted"  # at 125: 50 lost
    [mark] = rows(market, "SELECT day_equity, peak, day::text FROM trading.equity_marks")
    assert mark == (Decimal("1099.8"), Decimal("1099.8"), "2024-01-03")
    assert hand.order("0.00001", midnight + MINUTE + timedelta(seconds=5)) == "accepted"  # at 124: 52 lost
    assert hand.order("0.00001", midnight + 2 * MINUTE + timedelta(seconds=5)) == "daily_loss"  # at 100: 100 lost
    assert hand.order("-1", midnight + 2 * MINUTE + timedelta(seconds=10)) == "accepted"
    # The owner may change limits at any time: a tenth of 1099.8 is more than was lost, and a twentieth is less.
    for percent, expected in (("50", "accepted"), ("5", "max_drawdown")):
        hand = desk({"max_drawdown_percent": percent})
        assert hand.order("0.00001", midnight + 2 * MINUTE + timedelta(seconds=20 + len(percent))) == expected


def test_21_a_wallet_whose_feed_is_frozen_takes_exits_only(
    desk: Desk, market: Connection, add_candles: AddCandles
) -> None:
    add_candles([100] * 4)
    hand = desk({"max_price_age_seconds": 60})
    assert hand.order("2", START + 2 * MINUTE) == "accepted"
    frozen = START + 5 * MINUTE + timedelta(seconds=10)  # 70 s after the last bar
    hand.step(frozen)
    assert hand.order("1", frozen) == "price_too_old"
    assert hand.order("-1", frozen) == "accepted"
    assert rows(market, SENT) == [(2,)]


def test_a_transfer_is_no_loss_and_what_happens_at_once_counts_together() -> None:
    """2 held at 100 beside 800: equity 1000. A fill at 110 comes with the bar that closes there, 300 are paid out."""
    day = START.date()
    mark = EquityMark(0, START, Decimal(1000), Decimal(1000), day, Decimal(1000))
    books = Books(Decimal(800), {1: Position(Decimal(2), Decimal(100))})
    at = START + MINUTE
    changes = [
        Change(at, listing_id=1, price=Decimal(110)),
        Change(at, Decimal(-110), listing_id=1, units=Decimal(1)),
        Change(at + MINUTE, Decimal(-300), paid_in=Decimal(-300)),
        Change(START + timedelta(days=1), listing_id=1, price=Decimal(90)),
    ]
    after = walk(mark, books, {1: Decimal(100)}, reversed(changes))
    # 690 and 3 at 110 are 1020; less 300 they are 720, the highest too; at 90 the next day 660.
    assert [after.equity, after.peak, after.day_equity] == [660, 720, 720]
    assert after.day == day + timedelta(days=1)


def test_a_position_is_sold_once_however_often_it_is_asked_for(
    desk: Desk, market: Connection, add_candles: AddCandles
) -> None:
    add_candles([100, 100, 100, 100])
    hand = desk({})
    now = START + 2 * MINUTE
    assert hand.order("3", now) == "accepted"
    hand.step(now + 2 * MINUTE)
    now += 2 * MINUTE
    assert hand.order("-3", now, limit="110") == "accepted"
    assert hand.order("-3", now, limit="110") == "position_below_zero"
    assert hand.order("-0.00001", now, stop="90") == "position_below_zero"
    # A stop that only reduces may stand beside it; at the market it is sold off, once.
    assert hand.order("-3", now, stop="90", reduce_only=True) == "accepted"
    assert hand.order("-3", now, reduce_only=True) == "accepted"
    assert hand.order("-3", now, reduce_only=True) == "reduce_only"


def test_20_an_order_nobody_knows_of_counts_at_its_worst(
    desk: Desk, market: Connection, add_candles: AddCandles
) -> None:
    """Both of the venue's answers are lost: 2 may be bought, or not."""
    add_candles([100, 100])
    hand = desk(
        {"max_position_units": "3", "max_gross_notional": "450"},
        venue=Silent,
        instruments=("gateio:BTC_USDT", "gateio:ETH_USDT"),
    )
    add_candles([100, 100], listing=ETH)
    now = START + 2 * MINUTE
    assert hand.order("2", now) == "unknown"
    assert hand.order("1.00001", now) == "position_units"
    assert hand.order("-0.00001", now) == "position_below_zero"  # it may have bought nothing
    assert hand.order("2.50001", now, listing=1) == "gross_exposure"  # it may have bought all
    assert hand.order("2.5", now, listing=1) == "unknown"


def test_20_a_replay_and_a_paper_wallet_refuse_alike(
    market: Connection, database_url: str, add_candles: AddCandles, adbc: "AdbcConnection"
) -> None:
    closes = [100, 101, 99, 103, 97, 104, 96, 105, 95, 106, 94, 107]
    add_candles(closes)
    limits = parse_limits({"max_drawdown_percent": "1", "max_order_notional": "208"})
    settings: dict[str, Any] = {"limits": limits}
    wallet = open_wallet(market, replace(PAPER, **settings), now=START)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for minute in range(1, len(closes) + 1):
            now = START + minute * MINUTE
            execute_pending(market, venue, "paper", now=now)
            decide(market, adbc, "paper", now=now)
            execute_pending(market, venue, "paper", now=now)
    replayed = replay(adbc, replace(REPLAY, **settings), start=START, end=START + timedelta(days=1), now=START).wallet
    on_paper, in_replay = (rows(market, REFUSED.format(name)) for name in ("paper", replayed))
    assert on_paper == in_replay
    assert {code for _, _, code in on_paper} >= {None, "order_notional", "max_drawdown"}
