"""Corporate actions, names and sessions that change behind a strategy: told once, in its shares, and noticed."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.checkpoints import read_ground
from strades_pipelines.brokerage.feed import read_feed
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.datamanager.listing_events import ListingEvent, store_events
from strades_pipelines.engine.event_steps import events_of
from strades_pipelines.strategy.events import CorporateAction, microseconds, moment
from tests.brokerage.conftest import BTC, MINUTE, PAPER, SECOND, START, AddCandles, Connection
from tests.brokerage.test_record_feed import END, EveryHook, article, every_hook

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

__all__ = ["every_hook"]
Store = Callable[[Connection], None]


def actions(adbc: "AdbcConnection") -> list[tuple[float, float, float]]:
    """The corporate actions that a strategy hears: seconds after START, ratio and amount."""
    with adbc.cursor() as cursor:
        words: dict[str, Any] = {"interval": "1m", "opened_at": START, "lookback": 0, "end": END}
        hearing = Hearing(frozenset({"on_corporate_action"}))
        feed = read_feed(cursor, find_listings(cursor, ["gateio:BTC_USDT"]), hearing=hearing, **words)
    adbc.rollback()
    found = [event for event, _ in events_of(feed.columns) if isinstance(event, CorporateAction)]
    return [((moment(one.time) - START).total_seconds(), one.ratio, one.amount) for one in found]


def move(market: Connection, action: str, known: float, *, days: int, stored: float, **words: float) -> None:
    """Store an action that goes ex some days after START; known and stored in seconds after it."""
    values = [START.date() + timedelta(days=days), action, words.get("ratio"), words.get("amount")]
    market.execute(
        "INSERT INTO records.corporate_actions VALUES (%s, %s, %s, %s, %s, 'USDT', %s, 'stated', 1, %s)",
        [BTC, *values, START + known * SECOND, START + stored * SECOND],
    )
    market.commit()


def test_a_dividend_that_its_provider_moves_is_heard_once(market: Connection, adbc: "AdbcConnection") -> None:
    move(market, "dividend", 60, days=0, stored=0, amount=0.5)
    move(market, "dividend", 120, days=1, stored=90, amount=0.5)
    assert actions(adbc) == [(120.0, 1.0, 0.5)]


def test_a_dividend_is_in_the_shares_of_its_bars(market: Connection, adbc: "AdbcConnection") -> None:
    """1 of before a split of 4:1 that its fetch does not know."""
    move(market, "dividend", 30, days=0, stored=0, amount=1.0)
    market.execute(
        "INSERT INTO records.split_adjustments VALUES (%s, 1, %s, %s, 4, 'fetch_time', %s, %s)",
        [BTC, START, START + MINUTE, START + 5 * MINUTE, START + 5 * MINUTE],
    )
    market.commit()
    assert actions(adbc) == [(30.0, 1.0, 0.25)]


def announce(market: Connection, event: str, known: float, effective: float | None, stored: float = 0.0) -> None:
    """Store what becomes of the listing; times in seconds after START. None: it was called off."""
    at = None if effective is None else START + effective * SECOND
    told = ListingEvent(event, at, START + known * SECOND, "XBT_USDT" if event == "renamed" else "")
    store_events(market, [(BTC, told)], now=START + stored * SECOND)
    market.commit()


def ends(adbc: "AdbcConnection", *, stored_by: datetime | None = None) -> list[tuple[float, float, float]]:
    """Seconds after START, whether the listing ends, and in how many seconds after START it is said to."""
    with adbc.cursor() as cursor:
        words: dict[str, Any] = {"interval": "1m", "opened_at": START, "lookback": 0, "end": END}
        hearing = Hearing(frozenset({"on_corporate_action"}))
        listings = find_listings(cursor, ["gateio:BTC_USDT"])
        feed = read_feed(cursor, listings, hearing=hearing, stored_by=stored_by, **words)
    adbc.rollback()
    found = [event for event, _ in events_of(feed.columns) if isinstance(event, CorporateAction)]
    assert all((one.ratio, one.amount) == (1.0, 0.0) for one in found)
    start = microseconds(START)
    return [((one.time - start) / 1e6, one.ends, one.ends_at and (one.ends_at - start) / 1e6) for one in found]


ENDS: dict[str, tuple[list[tuple[float, float | None]], list[tuple[float, float, float]]]] = {
    "announced": ([(60, 300)], [(60, 0, 300), (300, 1, 0)]),
    "put off": ([(60, 300), (200, 400)], [(60, 0, 300), (200, 0, 400), (400, 1, 0)]),
    "called off": ([(60, 300), (250, None)], [(60, 0, 300), (250, 0, math.inf)]),
    "learnt later": ([(310, 300)], [(310, 1, 0)]),
    "for after the window": ([(60, 99_999)], [(60, 0, 99_999)]),
}


@pytest.mark.parametrize(("told", "heard"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_listing_is_heard_when_it_is_announced_and_when_it_comes(
    told: list[tuple[float, float | None]],
    heard: list[tuple[float, float, float]],
    market: Connection,
    adbc: "AdbcConnection",
) -> None:
    for known, effective in told:
        announce(market, "delisted", known, effective)
    assert ends(adbc) == heard


def test_a_symbol_change_is_heard_when_it_takes_effect_and_only_if_it_was_stored(
    market: Connection, adbc: "AdbcConnection"
) -> None:
    announce(market, "renamed", 60, 120, stored=90)
    assert ends(adbc) == [(120, 0, 0)]
    assert ends(adbc, stored_by=START + 80 * SECOND) == []


def test_a_wallet_and_a_replay_hear_of_a_delisting_alike_and_what_is_held_stays(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """`every_hook` decides on the announcement and on the end; nothing is sold by itself."""
    template = replace(PAPER, strategy=EveryHook.name, parameters={})
    open_wallet(market, template, now=START)
    announce(market, "delisted", 90, 200)
    add_candles([50.0, 51.0, 52.0])
    decide(market, adbc, "paper", now=END)
    name = replay(adbc, replace(template, name="r", mode="replay"), start=START, end=END, now=END).wallet
    query = (
        "SELECT decided_at, trigger_kind, target::float8 FROM signals.decisions WHERE wallet = %s ORDER BY decided_at"
    )
    live, replayed = (market.execute(query, [wallet]).fetchall() for wallet in ("paper", name))
    assert live == replayed
    assert [at for at, kind, _ in live if kind == "corporate_action"] == [START + 90 * SECOND, START + 200 * SECOND]
    held = market.execute("SELECT quantity::float8 FROM trading.positions WHERE wallet = %s", [name]).fetchall()
    bought = market.execute("SELECT sum(quantity)::float8 FROM trading.fills WHERE wallet = %s", [name]).fetchall()
    assert held == bought != [(None,)]


def name_bitcoin(market: Connection) -> None:
    """Say by which name an article may mention it."""
    row = ["x", "BTC_USDT", "Bitcoin", "crypto", "1m"]
    columns = "instrument_id, symbol, name, kind, interval"
    market.execute(f"INSERT INTO records.instruments ({columns}) VALUES (%s, %s, %s, %s, %s)", row)
    market.commit()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (
            lambda market: move(market, "dividend", 100, days=0, stored=100, amount=0.5),
            lambda market: move(market, "dividend", 200, days=1, stored=185, amount=0.5),
        ),
        (lambda market: None, lambda market: announce(market, "delisted", 100, 185, stored=185)),
        (lambda market: article(market, "a1", START + 100 * SECOND, "Bitcoin gains"), name_bitcoin),
    ],
)
def test_what_changes_an_event_behind_them_is_noticed_by_sessions_and_checkpoints(
    first: Store, then: Store, market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """After 185 s a dividend of before has been moved, a delisting is stored, or an article is of this listing."""
    template, sessions = replace(PAPER, strategy=EveryHook.name, parameters={}), SessionCache()
    names = {"passes": None, "stream": sessions}
    for name in names:
        open_wallet(market, replace(template, name=name), now=START)
    made: dict[str, float] = {}
    for second in (60, 110, 120, 180, 190, 210, 240, 300):
        if second == 110:
            first(market)
        if second == 190:
            then(market)
        if second % 60 == 0:
            add_candles([50.0], start=START + (second - 60) * SECOND)
        for name, kept in names.items():
            for one in decide(market, adbc, name, now=START + second * SECOND, sessions=kept):
                made[name] = one.target
    expected = step(market, adbc, load_wallet(market, "passes"), now=START + 300 * SECOND).decisions[-1].target
    assert made == dict.fromkeys(names, expected)


def test_a_session_of_a_market_that_is_stored_late_is_noticed(market: Connection) -> None:
    template = replace(PAPER, strategy=EveryHook.name, parameters={})
    ground = read_ground(market, open_wallet(market, template, now=START))
    market.execute(
        "INSERT INTO records.sessions (calendar, session_date, open_time, close_time, is_half_day)"
        " VALUES ('XTKS', %s, %s, %s, false)",
        [START.date(), START, START + 10 * MINUTE],
    )
    noted = "SELECT known_from FROM trading.input_changes WHERE subject = ANY(%s) AND known_to = 'infinity'"
    assert market.execute(noted, [list(ground.subjects)]).fetchall() == [(START,)]
