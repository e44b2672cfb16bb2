"""A stock that a wallet holds splits: the wallet is worth what it was, and trades in the new shares from then on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.ledger import post_fill, verify_ledger
from strades_pipelines.brokerage.ledger_marks import verify_in_full, verify_new_lines
from strades_pipelines.brokerage.live import decide, measure
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.sleeves import SEVERAL
from strades_pipelines.brokerage.splits import SplitError, book_splits
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallet_status import wallet_status
from strades_pipelines.brokerage.wallets import SleeveTemplate
from strades_pipelines.database.connection import connect
from tests.brokerage.conftest import AAPL, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.test_crashes import is_killed_at
from tests.strategy.builders import fill_event

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY = timedelta(days=1)
HELD = replace(
    PAPER,
    instruments=("yahoo:AAPL",),
    interval="1d",
    currency="USD",
    cash=Decimal(10_000),
    parameters={"fast": 1, "slow": 2, "size": 10.0},
    max_age=DAY,
)
# In the shares of before and of after, 4 for 1 at the opening of day 3: bought at 408, the open of day 2.
OLD, NEW = [400.0, 404.0, 408.0], [103.0, 104.0]
Split = Callable[..., None]
Pass = Callable[..., None]


def close_of(day: int) -> datetime:
    return START + day * DAY + timedelta(hours=21)


def open_of(day: int) -> datetime:
    return START + day * DAY + timedelta(hours=14, minutes=30)


@pytest.fixture
def held(market: Connection) -> Wallet:
    return open_wallet(market, HELD, now=START)


@pytest.fixture
def run(market: Connection, adbc: "AdbcConnection", database_url: str) -> Pass:
    """One pass: decide, then execute."""

    def at(now: datetime) -> None:
        with connect(database_url) as theirs:
            decide(market, adbc, "paper", now=now)
            execute_pending(market, PaperBroker(theirs, load_wallet(market, "paper")), "paper", now=now)

    return at


@pytest.fixture
def split(market: Connection, database_url: str) -> Split:
    """A split at the opening of a day, told at its close: the bars of before are restated, as `cleaned` does it."""

    def at(day: int, ratio: float = 4.0, *, is_cleaned: bool = True) -> None:
        told = close_of(day)
        market.execute(
            "INSERT INTO records.corporate_actions VALUES (%s, %s, 'split', %s, NULL, NULL, %s, 'stated', 1, %s)",
            [AAPL, open_of(day).date(), ratio, open_of(day), told],
        )
        market.execute(
            "INSERT INTO records.split_adjustments VALUES (%s, 1, %s, %s, %s, 'prices', %s, %s)",
            [AAPL, START - DAY, open_of(day - 1), ratio, open_of(day), told],
        )
        market.commit()
        if is_cleaned:
            clean(database_url, day, ratio)

    return at


def clean(database_url: str, day: int, ratio: float) -> None:
    prices = ", ".join(f"{name} = {name} / {ratio}" for name in ("open", "high", "low", "close"))
    with connect(database_url, role="strades_dbt") as dbt:
        dbt.execute(
            f"UPDATE cleaned.daily_bars SET {prices}, recorded_at = %s WHERE open_time < %s",
            [close_of(day), open_of(day)],
        )


@pytest.fixture
def through(held: Wallet, add_days: AddCandles, split: Split, run: Pass) -> Callable[..., None]:
    """Buy 10 old shares, split, and go on for two days."""

    def go(ratio: float = 4.0) -> None:
        add_days(OLD)
        for day in (0, 1, 2):
            run(close_of(day))
        add_days([price * 4 / ratio for price in NEW], start=START + 3 * DAY, recorded_at=close_of(3))
        split(3, ratio)
        for day in (3, 4):
            run(close_of(day))

    return go


def position(market: Connection) -> tuple[Any, ...]:
    return rows(market, "SELECT quantity, average_price, cost, realised FROM trading.positions")[0]


def test_units_change_and_value_and_cost_do_not(market: Connection, through: Callable[..., None]) -> None:
    through()
    # 10 at 408 and a fee of 0.1 % are 40 at 102.
    assert position(market) == (40, 102, Decimal("4084.08"), 0)
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(40,)]
    status = wallet_status(market, load_wallet(market, "paper"), now=close_of(4))
    assert status.equity == Decimal(10_000) - Decimal("4084.08") + 40 * 104
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(1,)]
    assert verify_ledger(market, "paper") == []


def test_the_cause_is_named_in_a_movement(market: Connection, through: Callable[..., None]) -> None:
    through()
    assert rows(
        market, "SELECT kind, reason, ratio, amount, units_taken, occurred_at, recorded_at FROM trading.movements"
    ) == [("split", "split of 2024-01-05, 4 for 1 of yahoo:AAPL", "4", 0, 0, open_of(3), close_of(3))]


def test_the_curve_is_that_of_a_replay_over_the_bars_in_new_shares(
    market: Connection, adbc: "AdbcConnection", through: Callable[..., None]
) -> None:
    """A replay that buys 40 new shares at 102 has at each instant what the wallet had that bought 10 at 408."""
    through()
    measure(market, adbc, "paper", now=close_of(4))
    template = replace(HELD, name="replayed", mode="replay", opened_at=None)
    template = replace(template, parameters=dict(HELD.parameters) | {"size": 40.0})
    replayed = replay(adbc, template, start=START, end=START + 5 * DAY, now=close_of(5)).wallet
    query = "SELECT time, cash, equity FROM results.equity WHERE wallet = '{}' ORDER BY time"
    ours, again = (rows(market, query.format(name)) for name in ("paper", replayed))
    assert [row[0] for row in ours] == [row[0] for row in again]
    assert [row[1:] for row in ours] == [pytest.approx(row[1:]) for row in again]


def test_a_strategy_has_no_value_from_a_split_until_its_wallet_is_measured(
    market: Connection, adbc: "AdbcConnection", add_days: AddCandles, split: Split, run: Pass
) -> None:
    """10 at 408, worth as much before the split; 40 shares at the price of the old ones would be four times that."""
    only = SleeveTemplate("only", HELD.strategy, HELD.parameters, HELD.instruments, Decimal(100))
    open_wallet(market, replace(HELD, strategy=SEVERAL, parameters={}, sleeves=(only,)), now=START)
    valued = "SELECT value, unrealised FROM results.strategies"
    add_days(OLD)
    for day in (0, 1, 2):
        run(close_of(day))
        measure(market, adbc, "paper", now=close_of(day))
    assert rows(market, valued) == [(4080, Decimal("-4.08"))]
    add_days(NEW, start=START + 3 * DAY, recorded_at=close_of(3))
    split(3)
    run(close_of(3))
    assert rows(market, valued) == [(None, None)]
    measure(market, adbc, "paper", now=close_of(3))
    assert rows(market, valued) == [(40 * 103, Decimal("35.92"))]


def test_the_history_by_session_adds_up_across_the_split(market: Connection, through: Callable[..., None]) -> None:
    through()
    measure_history(market, load_wallet(market, "paper"), now=close_of(4))
    found = rows(market, "SELECT realised, unrealised, closing, revaluation FROM results.wallet_sessions ORDER BY 1, 3")
    before = Decimal(10_000) - Decimal("4084.08")
    closings = {Decimal(10_000), before + 4080, before + 4120, before + 4160}
    assert {row[2] for row in found} == closings
    assert {row[3] for row in found} == {0}
    attributed = rows(market, "SELECT units, sum(pnl) OVER () FROM results.session_attribution ORDER BY session_date")
    assert attributed[-1] == (40, before + 4160 - 10_000)


def test_a_fraction_that_is_no_lot_is_paid_out_at_the_last_price(
    market: Connection, held: Wallet, through: Callable[..., None]
) -> None:
    """10 shares become 16 and two thirds at 244.80; two thirds of a share are cash."""
    through(5 / 3)
    units, average, cost, realised = position(market)
    paid = Decimal("0.6666666667") * Decimal("244.80")
    assert (units, average) == (16, Decimal("244.8"))
    assert rows(market, "SELECT ratio, units_taken, amount FROM trading.movements") == [
        ("5/3", Decimal("0.6666666667"), paid)
    ]
    assert cost - realised == Decimal("4084.08") - paid
    assert rows(market, "SELECT c.balance - a.cash FROM trading.cash AS c, trading.paper_venue_accounts AS a") == [(0,)]
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(16,)]
    assert verify_ledger(market, "paper") == []


def test_it_is_booked_once_whatever_comes_after(market: Connection, run: Pass, through: Callable[..., None]) -> None:
    through()
    for day in (5, 6):
        run(close_of(day))
    assert position(market)[0] == 40
    assert rows(market, "SELECT count(*) FROM trading.movements") == [(1,)]


@pytest.mark.parametrize("point", ["trading.split_written", "trading.split_committed"])
def test_a_pass_that_is_killed_at_a_split_books_it_once(
    point: str, market: Connection, held: Wallet, add_days: AddCandles, split: Split, run: Pass, database_url: str
) -> None:
    add_days(OLD)
    for day in (1, 2):
        run(close_of(day))
    add_days(NEW, start=START + 3 * DAY, recorded_at=close_of(3))
    split(3)
    assert is_killed_at(database_url, close_of(3), point)
    assert position(market)[0] == (40 if point == "trading.split_committed" else 10)
    run(close_of(3))
    assert position(market) == (40, 102, Decimal("4084.08"), 0)
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(40,)]
    assert verify_ledger(market, "paper") == []


def test_a_trade_from_before_that_is_told_of_later_counts_in_the_shares_of_its_time(
    market: Connection, through: Callable[..., None]
) -> None:
    through()
    wallet = load_wallet(market, "paper")
    [(intent_id,)] = rows(market, "SELECT intent_id FROM trading.intents")
    late = fill_event("buy", "5", "400", fee="0", known_at=open_of(2))
    late = replace(late, listing_id=AAPL, content_id="late", intent_id=intent_id, currency="USD")
    assert post_fill(market, wallet, late, now=close_of(4))
    market.commit()
    assert position(market) == (60, Decimal("101.3333333333"), Decimal("6084.08"), 0)
    assert verify_ledger(market, "paper") == []


def test_nothing_is_traded_before_the_bars_are_in_new_shares(
    market: Connection, held: Wallet, add_days: AddCandles, split: Split, run: Pass, database_url: str
) -> None:
    add_days(OLD)
    for day in (0, 1, 2):
        run(close_of(day))
    split(3, is_cleaned=False)
    with pytest.raises(SplitError, match=r"split of yahoo:AAPL on 2024-01-05: daily bars are still in the shares of"):
        run(close_of(3))
    market.rollback()
    assert position(market)[0] == 10
    assert rows(market, "SELECT state FROM trading.wallets") == [("active",)]
    clean(database_url, 3, 4.0)
    run(close_of(3))
    assert position(market)[0] == 40


def test_an_order_from_before_is_cancelled_and_asked_for_anew_in_new_shares(
    market: Connection, held: Wallet, add_days: AddCandles, split: Split, run: Pass
) -> None:
    """Ordered on the evening before the split: no bar in new shares fills 10 old ones."""
    add_days(OLD[:2])
    for day in (0, 1):
        run(close_of(day))
    add_days(NEW, start=START + 2 * DAY, recorded_at=close_of(2))
    split(2)
    for day in (2, 3):
        run(close_of(day))
    assert rows(market, "SELECT state, reason FROM trading.orders")[0] == ("cancelled", "split")
    assert rows(market, "SELECT state, reason FROM trading.paper_venue_orders")[0] == ("cancelled", "split")
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(0,)]
    assert rows(market, "SELECT target, trigger_kind FROM signals.decisions ORDER BY decided_at") == [
        (10, "bar"),
        (10, "revision"),
    ]
    add_days([105.0], start=START + 4 * DAY, recorded_at=close_of(4))
    for _ in range(2):
        run(close_of(4))
    assert rows(market, "SELECT side, quantity FROM trading.fills") == [("buy", 10)]
    assert verify_ledger(market, "paper") == []


@pytest.mark.parametrize("is_told_first", [True, False])
def test_a_sale_at_the_opening_of_a_split_sells_all_that_has_become_of_the_units(
    is_told_first: bool, market: Connection, held: Wallet, add_days: AddCandles, split: Split, run: Pass
) -> None:
    """10 old ones were to be sold at the opening: of 40 new ones the order, sized in old ones, sells 10 at most."""
    add_days([400.0, 404.0, 408.0, 396.0])
    for day in (0, 1, 2, 3):
        run(close_of(day))
    assert rows(
        market,
        "SELECT side, quantity, state FROM trading.intents JOIN trading.orders USING (intent_id) ORDER BY intended_at",
    ) == [("buy", 10, "filled"), ("sell", 10, "accepted")]
    add_days([98.0], start=START + 4 * DAY, recorded_at=close_of(4))
    if not is_told_first:
        run(close_of(4))  # nobody has told of the split yet
    split(4)
    run(close_of(4) + timedelta(hours=1))
    add_days([97.0, 96.0], start=START + 5 * DAY, recorded_at=close_of(5))
    for day in (5, 6):
        run(close_of(day))
    sold = rows(market, "SELECT quantity FROM trading.fills WHERE side = 'sell' ORDER BY filled_at")
    assert sold == ([(40,)] if is_told_first else [(10,), (30,)])
    assert rows(market, "SELECT quantity FROM trading.positions") == [(0,)]
    assert verify_ledger(market, "paper") == []


def test_a_target_that_waited_is_taken_in_new_units(
    market: Connection, adbc: "AdbcConnection", held: Wallet, add_days: AddCandles, split: Split, database_url: str
) -> None:
    add_days(OLD[:2])
    decide(market, adbc, "paper", now=close_of(1))
    add_days(NEW, start=START + 2 * DAY, recorded_at=close_of(2))
    split(2)
    with connect(database_url) as theirs:
        execute_pending(market, PaperBroker(theirs, held), "paper", now=open_of(2))
    assert rows(market, "SELECT quantity FROM trading.intents") == [(40,)]


def test_a_ratio_that_is_corrected_afterwards_stops_the_wallet(
    market: Connection, run: Pass, through: Callable[..., None]
) -> None:
    through()
    market.execute("UPDATE records.corporate_actions SET ratio = 5")
    market.commit()
    with pytest.raises(SplitError, match="expected the ratio 4, as it was booked, was 5"):
        run(close_of(5))
    market.rollback()
    assert position(market)[0] == 40


def stated_anew(market: Connection, day: datetime, told: datetime, ratio: float = 4.0) -> None:
    """A later answer has the split under another day; the first one stays in `records`, as loads leave it."""
    market.execute(
        "INSERT INTO records.corporate_actions VALUES (%s, %s, 'split', %s, NULL, NULL, %s, 'stated', 2, %s)",
        [AAPL, day.date(), ratio, day, told],
    )
    market.commit()


def test_a_booked_split_whose_day_is_corrected_is_not_booked_again(
    market: Connection, run: Pass, through: Callable[..., None]
) -> None:
    through()
    stated_anew(market, open_of(10), close_of(10))
    run(close_of(11))
    assert position(market)[0] == 40
    assert rows(market, "SELECT count(*) FROM trading.movements WHERE kind = 'split'") == [(1,)]
    assert verify_ledger(market, "paper") == []


def test_a_corrected_day_stops_the_wallet_where_it_traded_between_the_two(
    market: Connection, run: Pass, through: Callable[..., None]
) -> None:
    """What it bought at the open of day 2 was in new shares, if the split was at that of day 1."""
    through()
    stated_anew(market, open_of(1), close_of(5))
    with pytest.raises(SplitError, match="as it was booked, was 4 on"):
        run(close_of(6))


def test_two_splits_within_two_weeks_stop_the_wallet_before_the_second_is_booked(
    market: Connection, run: Pass, through: Callable[..., None]
) -> None:
    """No listing splits twice so soon: the second is the first one corrected, in day and ratio."""
    through()
    stated_anew(market, open_of(8), close_of(8), ratio=5.0)
    with pytest.raises(SplitError, match=r"expected one split in two weeks, was 5 on .* and 4 on"):
        run(close_of(9))
    market.rollback()
    assert position(market)[0] == 40


def test_what_the_paper_venue_filled_since_the_opening_is_in_new_units_already(
    market: Connection, held: Wallet, add_days: AddCandles, run: Pass, split: Split
) -> None:
    """10 old units are 40; 5 that were bought on the day, before anybody told of the split, stay 5."""
    add_days(OLD)
    for day in (0, 1, 2):
        run(close_of(day))
    market.execute(
        "INSERT INTO trading.paper_venue_orders"
        " (client_order_id, account, listing_id, side, quantity, accepted_at, state)"
        " VALUES ('later', 'paper', %s, 'buy', 5, %s, 'open')",
        [AAPL, open_of(3)],
    )
    market.execute(
        "INSERT INTO trading.paper_venue_fills VALUES ('later', 'x', 5, 103, 0, %s, '1d', %s)", [open_of(3), open_of(3)]
    )
    market.execute("UPDATE trading.paper_venue_positions SET quantity = quantity + 5")
    add_days(NEW[:1], start=START + 3 * DAY, recorded_at=close_of(3))
    split(3)
    book_splits(market, load_wallet(market, "paper"), now=close_of(3))
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(45,)]


@pytest.mark.parametrize(
    "tampering", ["UPDATE trading.movements SET ratio = '5'", "UPDATE trading.positions SET quantity = 41"]
)
def test_an_edited_split_is_found(market: Connection, through: Callable[..., None], tampering: str) -> None:
    through()
    assert verify_new_lines(market, "paper", now=close_of(4)) == []
    market.execute("ALTER TABLE trading.movements DISABLE TRIGGER append_only")
    assert market.execute(tampering).rowcount == 1
    market.commit()
    assert verify_in_full(market, "paper") != []
