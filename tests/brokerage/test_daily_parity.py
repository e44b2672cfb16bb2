"""A day is replayed and compared; each cause of a difference is made here, and found."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.daily_parity import DayParity, compare_day, write_daily_parity
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from tests.brokerage.conftest import BTC, MINUTE, PAPER, START, Connection, rows
from tests.brokerage.test_feed import forecast
from tests.dying import Died, die_at

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY = date(2024, 1, 2)
NIGHT = START + timedelta(days=1, hours=3)
CLOSES = [100.0, 101.0, 99.0, 98.0, 102.0, 103.0, 101.0, 104.0, 99.0]
CANDLE = "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s)"
# What `load` does to a row that has another value now: the old version stays among the revisions.
REVISE = """
    WITH old AS (
        INSERT INTO records.candle_revisions
        SELECT c.*, %(at)s FROM records.candles AS c WHERE c.open_time = %(open_time)s
        RETURNING listing_id
    )
    UPDATE records.candles SET open = %(open)s, high = 200, low = 50, close = %(close)s, recorded_at = %(at)s
    WHERE open_time = %(open_time)s
"""


class Trader:
    """Passes of the paper wallet; bars are stored when they close."""

    def __init__(self, market: Connection, adbc: "AdbcConnection", theirs: Connection) -> None:
        self.market, self.adbc = market, adbc
        self._theirs = theirs
        self.wallet = open_wallet(market, PAPER, now=START)

    def add_bar(self, n: int, *, stored_at: datetime | None = None) -> None:
        opened, closed = START + n * MINUTE, START + (n + 1) * MINUTE
        open_ = CLOSES[max(0, n - 1)]
        prices = open_, max(open_, CLOSES[n]), min(open_, CLOSES[n]), CLOSES[n]
        self.market.execute(CANDLE, [BTC, opened, closed, *prices, closed, stored_at or closed])
        self.market.commit()

    def trade(self, now: datetime, *, sent_at: datetime | None = None, waited: float = 0.0) -> None:
        venue = PaperBroker(self._theirs, self.wallet)
        execute_pending(self.market, venue, "paper", now=now)
        decide(self.market, self.adbc, "paper", now=now)
        execute_pending(self.market, venue, "paper", now=sent_at or now, elapsed=lambda: waited)

    def trade_through(self, first: int = 0, last: int = len(CLOSES), **options: Any) -> None:
        for n in range(first, last):
            self.add_bar(n)
            self.trade(START + (n + 1) * MINUTE, **options)

    def compare(self) -> DayParity:
        return compare_day(self.market, self.adbc, "paper", DAY)


@pytest.fixture
def trader(market: Connection, adbc: "AdbcConnection", database_url: str) -> Iterator[Trader]:
    with connect(database_url) as theirs:
        yield Trader(market, adbc, theirs)


def causes(found: DayParity) -> list[tuple[str, str]]:
    return [(one.subject, one.cause.value) for one in found.differences]


def test_a_day_without_delay_is_what_a_backtest_makes_of_it(trader: Trader) -> None:
    trader.trade_through()
    found = trader.compare()
    # The fast average is the close, the slow one that of two: it is crossed by the 2nd, 3rd, 5th, 7th, 8th, 9th close.
    assert (found.decisions, found.decisions_agreeing) == (6, 6)
    assert (found.fills, found.fills_agreeing) == (5, 5)  # the last one's bar has not come
    assert found.differences == []


def test_an_order_that_came_to_its_venue_late_is_latency(trader: Trader) -> None:
    trader.trade_through(0, 2)
    trader.add_bar(2)
    trader.market.execute("UPDATE trading.wallets SET max_decision_age = '1 hour'")
    venue_time = START + 3 * MINUTE + timedelta(seconds=5)
    trader.trade(START + 3 * MINUTE, sent_at=venue_time)  # the sale misses the open at 3
    trader.trade_through(3)
    found = trader.compare()
    assert found.decisions_agreeing == found.decisions
    assert ("fill", "latency") in causes(found)
    [late] = found.differences
    assert late.at == START + 3 * MINUTE
    assert (late.recorded[:7], late.expected[:7]) == ("2 at 98", "2 at 99")


def test_an_order_of_a_pass_that_waited_is_accepted_when_it_is_sent(trader: Trader) -> None:
    """A sale decided at 0:03 in a pass that waited 61 s is at its venue at 0:04:01, and filled at the open of 0:05."""
    trader.trade_through(0, 2)
    trader.add_bar(2)
    trader.trade(START + 3 * MINUTE, waited=61.0)
    trader.trade_through(3)
    sent = "SELECT max(submitted_at) FROM trading.orders WHERE submitted_at = %s"
    later = START + 4 * MINUTE + timedelta(seconds=1)
    assert trader.market.execute(sent, [later]).fetchone() == (later,)
    sold = rows(trader.market, "SELECT filled_at FROM trading.fills WHERE side = 'sell' ORDER BY filled_at")
    assert sold[0] == (START + 5 * MINUTE,)
    assert causes(trader.compare()) == [("fill", "latency")]


def test_a_fill_of_another_price_is_the_fill_model_of_a_venue_and_a_bug_on_paper(trader: Trader) -> None:
    trader.trade_through()
    edit(trader.market, "UPDATE trading.fills SET price = price + 1 WHERE filled_at = %s", START + 2 * MINUTE)
    assert causes(trader.compare()) == [("fill", "bug")]
    trader.market.execute("UPDATE trading.wallets SET broker = 'alpaca'")
    trader.market.commit()
    assert causes(trader.compare()) == [("fill", "fill_model")]


def test_a_fill_with_another_fee_is_a_fee(trader: Trader) -> None:
    trader.trade_through()
    edit(trader.market, "UPDATE trading.fills SET fee = fee * 2 WHERE filled_at = %s", START + 2 * MINUTE)
    found = trader.compare()
    assert causes(found) == [("fill", "fee")]
    assert (found.fills, found.fills_agreeing) == (5, 4)


def edit(market: Connection, statement: str, *parameters: Any) -> None:
    """Fills are append-only: this is what a venue with other fees or prices would have told."""
    market.execute("ALTER TABLE trading.fills DISABLE TRIGGER append_only")
    market.execute(statement, parameters)
    market.execute("ALTER TABLE trading.fills ENABLE TRIGGER append_only")
    market.commit()


def test_a_bar_that_was_corrected_afterwards_is_a_late_correction(trader: Trader) -> None:
    trader.trade_through()
    revision = {"at": NIGHT - timedelta(hours=1), "open_time": START + 4 * MINUTE, "open": 98.0, "close": 97.0}
    trader.market.execute(REVISE, revision)
    trader.market.commit()
    found = trader.compare()
    assert {("decision", "late_correction")} == {one for one in causes(found) if one[0] == "decision"}
    # The purchase that the corrected close does not ask for was made at the next open, which stands.
    assert found.fills_agreeing == found.fills == 5


def test_a_corrected_open_is_a_late_correction_of_the_fill(trader: Trader) -> None:
    trader.trade_through()
    revision = {"at": NIGHT - timedelta(hours=1), "open_time": START + 2 * MINUTE, "open": 101.5, "close": CLOSES[2]}
    trader.market.execute(REVISE, revision)
    trader.market.commit()
    assert causes(trader.compare()) == [("fill", "late_correction")]


def test_a_bar_that_came_after_the_decision_is_data(trader: Trader) -> None:
    trader.trade_through(0, 4)
    trader.trade_through(5)  # the 5th bar is missing: the purchase on it is never decided
    trader.add_bar(4, stored_at=NIGHT - timedelta(hours=1))
    found = trader.compare()
    assert causes(found)[0] == ("decision", "data")
    assert found.differences[0].recorded == "nothing"
    assert {cause for subject, cause in causes(found) if subject == "decision"} == {"data"}


def test_a_forecast_that_came_afterwards_is_data(market: Connection, adbc: "AdbcConnection", trader: Trader) -> None:
    template = replace(
        PAPER,
        name="follower",
        strategy="follow_prediction",
        parameters={"model": "ridge", "threshold": 0.0, "size": 1.0},
    )
    forecast(market, "OLD", -0.5, START)
    open_wallet(market, template, now=START)
    trader.add_bar(0)
    trader.add_bar(1)
    decide(market, adbc, "follower", now=START + 2 * MINUTE)
    forecast(market, "NEW", 0.5, NIGHT - timedelta(hours=1))
    found = compare_day(market, adbc, "follower", DAY)
    assert {cause for _, cause in causes(found)} == {"data"}


def test_a_decision_that_nothing_explains_is_a_bug(trader: Trader) -> None:
    trader.trade_through()
    trader.market.execute("UPDATE signals.decisions SET target = 3 WHERE decided_at = %s", [START + 2 * MINUTE])
    trader.market.commit()
    [found] = trader.compare().differences
    assert (found.subject, found.cause.value) == ("decision", "bug")
    assert (found.recorded, found.expected) == ("target 3", "target 2")


def test_other_code_since_the_day_before_is_the_code(trader: Trader) -> None:
    trader.trade_through()
    trader.market.execute(
        "INSERT INTO results.daily_parity VALUES ('paper', %s, 0, 0, 0, 0, 'of before', %s)",
        [DAY - timedelta(days=1), NIGHT],
    )
    trader.market.execute("UPDATE signals.decisions SET target = 3 WHERE decided_at = %s", [START + 2 * MINUTE])
    trader.market.commit()
    assert causes(trader.compare()) == [("decision", "code")]


def test_a_persons_orders_and_corrections_are_no_decisions_of_the_strategy(trader: Trader) -> None:
    trader.trade_through()
    for kind in ("person", "revision"):
        trader.market.execute(
            """
            INSERT INTO signals.decisions (decision_id, wallet, strategy, listing_id, decided_at, trigger_kind,
                trigger_id, ordinal, previous_target, target, reason, inputs, recorded_at)
            SELECT decision_id || %s, wallet, %s, listing_id, decided_at, %s, 'x', 7, 0, 9, '', '{}', recorded_at
            FROM signals.decisions WHERE decided_at = %s AND trigger_kind = 'bar'
            """,
            [kind[0], kind, kind, START + 2 * MINUTE],
        )
    trader.market.commit()
    assert trader.compare().decisions == 6


def test_days_are_compared_once_and_a_week_is_caught_up_with(trader: Trader) -> None:
    trader.trade_through()
    market, adbc = trader.market, trader.adbc
    assert [found.day for found in write_daily_parity(market, adbc, "paper", now=NIGHT)] == [DAY]
    assert write_daily_parity(market, adbc, "paper", now=NIGHT) == []
    later = write_daily_parity(market, adbc, "paper", now=NIGHT + timedelta(days=20))
    assert [found.day for found in later] == [DAY + timedelta(days=n) for n in range(14, 21)]
    stored = rows(market, "SELECT day, decisions, fills, fills_agreeing FROM results.daily_parity ORDER BY day")
    assert stored[0] == (DAY, 6, 5, 5)
    assert {row[1:] for row in stored[1:]} == {(0, 0, 0)}


def test_a_strategy_has_a_score_over_time(trader: Trader) -> None:
    trader.trade_through()
    edit(trader.market, "UPDATE trading.fills SET fee = fee * 2 WHERE filled_at = %s", START + 2 * MINUTE)
    write_daily_parity(trader.market, trader.adbc, "paper", now=NIGHT + timedelta(days=1))
    found = rows(
        trader.market,
        "SELECT strategy, day, decision_score, fill_score FROM results.strategy_parity ORDER BY day",
    )
    assert found == [("sma_cross", DAY, 1.0, 0.8), ("sma_cross", DAY + timedelta(days=1), 1.0, 0.8)]
    assert rows(trader.market, "SELECT cause, recorded, expected FROM results.parity_differences") == [
        (
            "fee",
            "2 at 101, fee 0.404, 2024-01-02T00:02:00Z",
            "2 at 101, fee 0.202, 2024-01-02T00:02:00Z",
        )
    ]


def test_a_comparison_that_was_killed_is_made_again(trader: Trader) -> None:
    trader.trade_through()
    with die_at("results.daily_parity_written"), pytest.raises(Died):
        write_daily_parity(trader.market, trader.adbc, "paper", now=NIGHT)
    trader.market.rollback()
    assert rows(trader.market, "SELECT count(*) FROM results.daily_parity") == [(0,)]
    assert len(write_daily_parity(trader.market, trader.adbc, "paper", now=NIGHT)) == 1
