"""Wallets on bars of ticks, volume and money: the same bars and decisions in a backtest, a replay and live."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from strades_pipelines.bars.bar_files import Reading
from strades_pipelines.bars.trade_bars import parse_every
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.stream_desk import stream_hearing_wallets
from strades_pipelines.brokerage.trade_bar_feed import TradeBars
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletsError, read_wallets
from strades_pipelines.engine.columns import Columns
from strades_pipelines.ingestion.streams.bars_of_trades import bars_of_size
from strades_pipelines.lineage.trace import follow
from strades_pipelines.market.instruments import Listing
from strades_pipelines.simulation.backtest import Terms, backtest
from strades_pipelines.strategy.events import BAR, DAY_LENGTH, QUOTE, TRADE, moment
from strades_pipelines.strategy.library.sma_cross import SmaCross
from tests.brokerage.conftest import (
    BTC,
    ETH,
    MINUTE,
    PAPER,
    REPLAY,
    SECOND,
    START,
    AddCandles,
    AddTrades,
    Connection,
    rows,
)
from tests.brokerage.wallet_files import write_wallets

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY = 20_000 * DAY_LENGTH
LISTINGS = [
    Listing(listing_id, "v", str(listing_id), "USD", PAPER.cash, PAPER.cash) for listing_id in (ETH, BTC)
]  # the second sorts first
Heard = tuple[int, int, float, float]  # time, instrument, price, size
# Around two midnights; amounts of a tenth, whose sums as floats are no whole numbers.
TRADES = st.lists(
    st.tuples(
        st.integers(-3, 5).map(lambda n: DAY + n * DAY_LENGTH // 3),
        st.integers(0, 1),
        st.integers(1, 9).map(float),
        st.integers(0, 9).map(lambda n: n / 10),
    ),
    max_size=40,
).map(sorted)
SIZES = st.sampled_from(["1ticks", "3ticks", "1volume", "0.7volume", "2.5notional"])


def events(heard: Sequence[Heard], kind: int = TRADE) -> Columns:
    """Events of one kind, in the order of a feed."""
    heard = sorted(heard, key=lambda trade: (trade[0], -trade[1]))
    time, i, price, size = (np.array([trade[at] for trade in heard]) for at in range(4))
    n, zero = len(heard), np.zeros(len(heard))
    numbers = (price.astype(float), size.astype(float), zero, zero, zero)
    return Columns(np.full(n, kind, np.int8), i.astype(np.int32), time.astype(np.int64), np.arange(n), *numbers)


def bars_among(columns: Columns) -> list[tuple[float, ...]]:
    """Of each bar its instrument, when it is known, when it opened, and its numbers."""
    own = columns.kind == BAR
    arrays = (columns.i, columns.time, columns.more, columns.a, columns.b, columns.c, columns.d, columns.e)
    return list(zip(*(array[own].tolist() for array in arrays), strict=True))


@given(TRADES, SIZES)
def test_a_wallet_hears_the_bars_that_an_export_has(heard: list[Heard], every: str) -> None:
    made = TradeBars(every, LISTINGS, hands_on_trades=False).make(events(heard), until=DAY + 9 * DAY_LENGTH)
    assert set(made.kind.tolist()) <= {BAR}
    for instrument in (0, 1):
        own = [trade for trade in heard if trade[1] == instrument]
        times = np.array([trade[0] for trade in own], np.int64)
        prices, sizes = (np.array([trade[at] for trade in own], np.float64) for at in (2, 3))
        table = bars_of_size(times, prices, sizes, parse_every(every)).to_pylist()
        midnights = [(bar["close_time"] + timedelta(days=1)).replace(hour=0) for bar in table]
        known = [bar["close_time"] if bar["is_full"] else end for bar, end in zip(table, midnights, strict=True)]
        exported = [[bar[name] for name in ("open_time", "open", "high", "low", "close")] for bar in table]
        found = [bar for bar in bars_among(made) if bar[0] == instrument]
        assert [moment(int(bar[1])) for bar in found] == known
        assert [[moment(int(bar[2])), *bar[3:7]] for bar in found] == exported
        np.testing.assert_allclose([bar[7] for bar in found], [bar["volume"] for bar in table], rtol=1e-12)


@given(TRADES, SIZES, st.lists(st.integers(-4, 8), max_size=6), st.booleans())
def test_bars_are_the_same_in_whatever_parts_their_trades_come(
    heard: list[Heard], every: str, cuts: list[int], hands_on_trades: bool
) -> None:
    """To the bit, also where a part goes on from plain data."""
    end = DAY + 9 * DAY_LENGTH
    whole = TradeBars(every, LISTINGS, hands_on_trades=hands_on_trades).make(events(heard), until=end)
    one, parts = TradeBars(every, LISTINGS, hands_on_trades=hands_on_trades), []
    borders = [DAY - 9 * DAY_LENGTH, *(DAY + cut * DAY_LENGTH // 4 for cut in sorted(cuts)), end]
    for first, last in pairwise(borders):
        parts.append(one.make(events([trade for trade in heard if first < trade[0] <= last]), until=last))
        memory, one = one.memory(), TradeBars(every, LISTINGS, hands_on_trades=hands_on_trades)
        one.recall(memory)
    for place, array in enumerate(whole.arrays):
        if place == 3:  # numbers the trades of a part
            continue
        assert np.concatenate([part.arrays[place] for part in parts]).tolist() == array.tolist()


def test_a_bar_comes_behind_the_trades_and_quotes_of_its_instant_in_the_order_of_listings() -> None:
    trades, quotes = events([(DAY, 0, 5.0, 1.0), (DAY, 1, 6.0, 1.0)]), events([(DAY, 0, 5.0, 1.0)], QUOTE)
    together = Columns(*(np.concatenate(pair) for pair in zip(trades.arrays, quotes.arrays, strict=True)))
    made = TradeBars("1ticks", LISTINGS, hands_on_trades=True).make(together, until=DAY)
    assert list(zip(made.kind.tolist(), made.i.tolist(), strict=True)) == [
        (TRADE, 1), (TRADE, 0), (QUOTE, 0), (BAR, 1), (BAR, 0),
    ]  # fmt: skip


PRICES = st.lists(
    st.tuples(st.integers(1, 40_000), st.sampled_from([90.0, 100.0, 110.0]), st.sampled_from([0.5, 1.0, 2.0])),
    min_size=2,
    max_size=25,
)
DECIDED = "SELECT decided_at, target::float8, trigger_id FROM signals.decisions WHERE wallet = '{}' ORDER BY decided_at"
OPENING = START + timedelta(hours=20)


# Not shrunk: an example takes a while of the database.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
KINDS = st.sampled_from(["1ticks", "3ticks", "2volume", "250notional"])


@settings(max_examples=12, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=PRICES, every=KINDS, passes=st.dictionaries(st.integers(0, 25), st.booleans(), min_size=3))
def test_backtest_replay_and_live_decide_alike(
    steps: list[tuple[int, float, float]],
    every: str,
    passes: dict[int, bool],
    market: Connection,
    adbc: "AdbcConnection",
    add_trades: AddTrades,
    tmp_path: Path,
) -> None:
    """Trades over up to three days, heard as they happen; the wallet decides after some, restarts, and at the end."""
    market.rollback()
    market.execute("DELETE FROM records.trades")
    market.execute("TRUNCATE signals.decisions, trading.wallets, trading.wallet_checkpoints CASCADE")
    market.commit()
    wanted = replace(PAPER, every=every, opened_at=OPENING)
    open_wallet(market, wanted, now=OPENING)
    cache, at, lines = SessionCache(), timedelta(0), ["ts_utc,price,amount"]
    for number, (seconds, price, size) in enumerate(steps):
        at += seconds * SECOND / 4
        add_trades([(number, 0, size, "buy")], came=0, start=OPENING + at)
        market.execute("UPDATE records.trades SET price = %s WHERE trade_id = %s", [price, str(number)])
        market.commit()
        lines.append(f"{(OPENING + at).isoformat()},{price},{size}")
        if number in passes:
            decide(market, adbc, "paper", now=OPENING + at, sessions=cache)
            if passes[number]:
                cache.clear()  # a restart: the next pass begins at a checkpoint
    end = (OPENING + at).replace(hour=0, minute=0) + timedelta(days=1)
    decide(market, adbc, "paper", now=end, sessions=cache)
    live = rows(market, DECIDED.format("paper"))
    template = replace(REPLAY, every=every)
    name = replay(adbc, template, start=OPENING, end=end + SECOND, now=end).wallet
    assert rows(market, DECIDED.format(name)) == live

    (tmp_path / "t.csv").write_text("\n".join([*lines, f"{(end + MINUTE).isoformat()},1,0"]) + "\n")
    bars = Reading().trade_bars(tmp_path / "t.csv", parse_every(every))
    strategy = SmaCross(**PAPER.parameters)
    found = backtest(strategy, [bars], Terms(cash=1e9), mode="events", cache=tmp_path)
    of_file = zip(found.column("decisions", "time").tolist(), found.column("decisions", "target").tolist(), strict=True)
    assert [(moment(int(time)), target) for time, target in of_file if moment(int(time)) <= end] == [
        (decided_at, target) for decided_at, target, _ in live
    ]


def test_a_decision_names_the_trades_of_its_bars_and_a_warm_up_begins_at_midnight(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades
) -> None:
    """Trades of before the opening fill half of the first bar."""
    open_wallet(market, replace(PAPER, every="2ticks", opened_at=OPENING), now=OPENING)
    early = START + timedelta(hours=1)
    for number, minute in enumerate((0, 2, 4, 20 * 60, 20 * 60 + 1)):
        add_trades([(number, 60.0 * minute, 1.0, "buy")], came=60.0 * minute, start=early)
        market.execute("UPDATE records.trades SET price = %s WHERE trade_id = %s", [100 + number, str(number)])
    market.commit()
    [bought] = decide(market, adbc, "paper", now=early + timedelta(hours=21))
    assert bought.decided_at == early + timedelta(hours=20)
    assert bought.trigger_id == "2ticks@2024-01-02T01:04:00Z"
    assert bought.inputs["trades"]["listing_ids"] == [BTC]
    assert bought.inputs["trades"]["heard_from"].startswith("2024-01-02T01:00")
    assert "bars" not in bought.inputs
    lineage, _ = follow(market, bought.decision_id)
    assert [row["trade_id"] for row in lineage.trades] == ["0", "1", "2", "3"]  # two bars, and none behind them
    assert lineage.faults == []


def test_a_wallet_of_the_file_with_bars_of_trades_hears_streams(
    tmp_path: Path, give_settings: Callable[..., None]
) -> None:
    file = tmp_path / "Wallets.json"
    give_settings(wallets=str(file))
    write_wallets(file, PAPER, replace(PAPER, name="on_volume", every="0.5volume"))
    assert [(one.name, one.every) for one in stream_hearing_wallets()] == [("on_volume", "0.5volume")]


@pytest.mark.parametrize("every", ["0ticks", "1.5ticks", "0.0volume", "5m", "500 ticks", "1e3ticks", "ticks", ""])
def test_what_fills_no_bar_is_refused_where_the_file_is_read(every: str, tmp_path: Path) -> None:
    write_wallets(tmp_path / "Wallets.json", PAPER)
    entry = json.loads((tmp_path / "Wallets.json").read_text())["wallets"][0]
    (tmp_path / "Wallets.json").write_text(json.dumps({"wallets": [entry | {"every": every}]}))
    [fault] = read_wallets(tmp_path / "Wallets.json").faults
    assert fault.message.startswith("Wallets.json: wallets[0].every: expected what fills a bar of trades: 500ticks,")


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_trade_that_is_stored_behind_changes_the_bars(
    is_restarted: bool, adbc: "AdbcConnection", market: Connection, add_trades: AddTrades
) -> None:
    """Heard a second ago, and committed by a slower transaction than the one of the trade after it."""
    open_wallet(market, replace(PAPER, every="1ticks"), now=START)
    cache = SessionCache()

    def add(number: int, price: float, at: float) -> list[tuple[float, float]]:
        add_trades([(number, at, 1.0, "buy")], came=at)
        market.execute("UPDATE records.trades SET price = %s WHERE trade_id = %s", [price, str(number)])
        market.commit()
        made = decide(market, adbc, "paper", now=START + 31 * SECOND, sessions=cache)
        return [((one.decided_at - START).total_seconds(), one.target) for one in made]

    assert [add(1, 100.0, 10), add(2, 101.0, 20), add(3, 102.0, 30)] == [[], [(20.0, 2.0)], []]
    if is_restarted:
        cache.clear()
        assert rows(market, "SELECT count(*) FROM trading.wallet_checkpoints") == [(1,)]
    assert add(4, 90.0, 25)[:2] == [(25.0, 0.0), (30.0, 2.0)]


def test_a_wallet_keeps_the_bars_that_it_was_opened_with(market: Connection, add_candles: AddCandles) -> None:
    open_wallet(market, replace(PAPER, every="2ticks"), now=START)
    with pytest.raises(WalletsError, match="every: expected 2ticks, as it was opened, was 3ticks; use a new name"):
        open_wallet(market, replace(PAPER, every="3ticks"), now=START)
