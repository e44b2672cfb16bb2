"""The paper wallets that come with Strades trade in the sandbox: its own bars, fetched as `Sources.json` says."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.candles import final_bars
from sandbox.market import PAIRS, SIZE_DECIMALS
from sandbox.tape import trades_newest_first
from strades_pipelines.brokerage.trade_pass import Desk
from strades_pipelines.brokerage.wallets import WalletTemplate, read_wallets
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.strategy.events import microseconds
from tests.brokerage.conftest import BTC, ETH, MINUTE, SECOND, AddTrades, Connection, rows

LISTING_IDS = {"BTC_USDT": BTC, "ETH_USDT": ETH}
TO_A_PASS = timedelta(seconds=30)  # from a fetch to the pass that its bars bring: `trade_sensor` waits as long
MICROSECOND = timedelta(microseconds=1)
STORE = {
    "1m": (
        "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s)",
        "strades_app",
    ),
    "1d": (
        "INSERT INTO cleaned.daily_bars VALUES (%s, 'gateio', '', %s, %s, %s, %s, %s, %s, %s, 1, 'USDT', 1, %s, 1, %s)",
        "strades_dbt",
    ),
}
TRADED = """
    SELECT d.listing_id, min(d.recorded_at), count(DISTINCT d.decision_id), count(DISTINCT f.fill_id), min(f.known_at)
    FROM signals.decisions AS d LEFT JOIN trading.intents AS i USING (decision_id)
    LEFT JOIN trading.fills AS f USING (intent_id)
    WHERE d.wallet = %s GROUP BY d.listing_id
"""


@dataclass
class Days:
    """The sandbox's Gate.io, of which bars are stored at each fetch."""

    url: str
    stored_to: dict[tuple[str, str], datetime]

    def fetch(self, interval: str, now: datetime, *, history: int) -> None:
        """Store each closed bar that is not stored; at first `history` of them."""
        length = interval_length(interval)
        with connect(self.url, role=STORE[interval][1]) as connection:
            for symbol, listing_id in LISTING_IDS.items():
                closed = now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % length
                since = self.stored_to.get((symbol, interval), closed - history * length)
                self.stored_to[symbol, interval] = closed
                unit = 10 ** PAIRS[symbol].price_decimals
                for bar in final_bars(
                    settings().sandbox_seed,
                    symbol,
                    interval=length // MICROSECOND,
                    first=microseconds(since),
                    count=(closed - since) // length,
                ):
                    opened = datetime.fromtimestamp(bar.start / 1e6, UTC)
                    close = opened + length
                    prices = [price / unit for price in (bar.open, bar.high, bar.low, bar.close)]
                    day = [] if interval == "1m" else [opened.date()]
                    connection.execute(STORE[interval][0], [listing_id, *day, opened, close, *prices, close, now])
            connection.commit()


Trade = Callable[[WalletTemplate, datetime, datetime], list[tuple[int, datetime, int, int, datetime | None]]]


@pytest.fixture
def trade(market: Connection, database_url: str) -> Iterator[Trade]:
    """Runs a wallet from its opening for a while; what each listing was decided and filled, and since when."""
    [gateio] = [site for site in load_sources(PROJECT / "Sources.json").websites if site.name == "gateio"]
    with connect(database_url) as theirs, closing(adbc_connect(database_url)) as adbc:

        def run(
            template: WalletTemplate, opened_at: datetime, end: datetime
        ) -> list[tuple[int, datetime, int, int, datetime | None]]:
            clock = [opened_at]
            desk = Desk(market, theirs, adbc, lambda: clock[0])
            history = 2 * max(template.new_strategy().lookback, 30)
            days = Days(database_url, {})
            days.fetch(template.interval, opened_at, history=history)
            fetches = list(ticks(gateio.schedule, opened_at, end))
            if template.interval == "1d":  # at other times there is nothing new
                fetches = [at for at in fetches if at.hour == 0 and at.minute < 10]
            for at in [opened_at, *fetches]:
                days.fetch(template.interval, at, history=history)
                clock[0] = at + TO_A_PASS
                done, errors, _not_approved = desk.trade([template], None)
                assert errors == {}
                assert list(done) == [template.name]
            return market.execute(TRADED, [template.name]).fetchall()

        yield run


def shipped(interval: str) -> list[WalletTemplate]:
    found = [one for one in read_wallets(PROJECT / "Wallets.json").templates if one.mode == "paper"]
    return [one for one in found if one.interval == interval]


def test_a_wallet_of_minutes_has_a_fill_within_twenty_minutes(trade: Trade, market: Connection) -> None:
    """At three of four openings; at others when a mean has crossed the other, which it does nine times an hour."""
    [wallet] = [one for one in shipped("1m") if one.strategy == "sma_cross"]
    opened_at = datetime(2026, 6, 1, 6, 2, tzinfo=UTC)
    traded = trade(wallet, opened_at, opened_at + 40 * MINUTE)
    assert {listing_id for listing_id, *_ in traded} == {BTC, ETH}
    assert min(decided for _, decided, *_ in traded) <= opened_at + 5 * MINUTE
    assert min(filled for *_, filled in traded if filled) <= opened_at + 20 * MINUTE
    assert all(fills >= 1 for *_, fills, _ in traded)
    refused = {code for (code,) in rows(market, "SELECT DISTINCT code FROM trading.refusals")}
    assert refused <= {"superseded", "already_at_target"}  # of the bars of one fetch the last counts; none is stale


def test_a_wallet_of_days_decides_at_the_first_midnight_and_is_filled_at_the_next_open(
    trade: Trade, market: Connection
) -> None:
    [wallet] = shipped("1d")
    opened_at = datetime(2026, 6, 1, 6, 2, tzinfo=UTC)
    midnight = datetime(2026, 6, 2, tzinfo=UTC)
    traded = trade(wallet, opened_at, midnight + timedelta(days=4))
    # Decided once the first bar after the opening is fetched, sent at once; the next bar to open is that of the day
    # after, which is known when it has closed.
    assert [(listing, decided, filled) for listing, decided, _, _, filled in traded] == [
        (listing, midnight + TO_A_PASS, midnight + timedelta(days=2) + TO_A_PASS) for listing in (BTC, ETH)
    ]
    assert all(fills >= 1 for *_, fills, _ in traded)
    assert rows(market, "SELECT count(*) FROM trading.refusals") == [(0,)]


def test_the_wallet_on_the_stream_has_a_fill_within_twenty_minutes(
    trade: Trade, market: Connection, add_trades: AddTrades
) -> None:
    """Of the sandbox's own trades, each come a tenth of a second after it happened."""
    [wallet] = [one for one in shipped("1m") if one.new_strategy().hears_trades()]
    opened_at = datetime(2026, 6, 1, 6, 2, tzinfo=UTC)
    for symbol, listing_id in LISTING_IDS.items():
        span = microseconds(opened_at - 10 * MINUTE), microseconds(opened_at + 40 * MINUTE)
        tape = trades_newest_first(
            settings().sandbox_seed, PAIRS[symbol], since=span[0], until=span[1], skip=0, count=10_000
        )
        for each in reversed(tape):
            happened = (each.time - microseconds(opened_at)) * MICROSECOND / SECOND
            sent = (each.number, happened, each.size / 10**SIZE_DECIMALS, "buy" if each.buy else "sell")
            add_trades([sent], came=happened + 0.1, listing=listing_id, start=opened_at)
    traded = trade(wallet, opened_at, opened_at + 40 * MINUTE)
    assert {listing_id for listing_id, *_ in traded} == {BTC, ETH}
    assert min(filled for *_, filled in traded if filled) <= opened_at + 20 * MINUTE
    refused = {code for (code,) in rows(market, "SELECT DISTINCT code FROM trading.refusals")}
    assert refused <= {"superseded", "already_at_target"}  # what comes within a pass; on the stream each is sent
