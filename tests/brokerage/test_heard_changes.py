"""Corporate actions, names and sessions that change behind a strategy: told once, in its shares, and noticed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.checkpoints import read_ground
from strades_pipelines.brokerage.feed import read_feed
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.engine.event_steps import events_of
from strades_pipelines.strategy.events import CorporateAction, moment
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
        (lambda market: article(market, "a1", START + 100 * SECOND, "Bitcoin gains"), name_bitcoin),
    ],
)
def test_what_changes_an_event_behind_them_is_noticed_by_sessions_and_checkpoints(
    first: Store, then: Store, market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """After 185 s a dividend of before has been moved, or an article is of this listing."""
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
