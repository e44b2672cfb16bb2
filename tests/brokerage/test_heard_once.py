"""A wallet at the live edge acts once on a trade: what is loaded later moves none, and history is not heard."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.lineage.trace import follow
from tests.brokerage.conftest import BTC, ETH, PAPER, SECOND, START, AddCandles, AddTrades, Connection, rows
from tests.brokerage.test_trade_feed import FLOW
from tests.ingestion.conftest import store_body

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

GIVEN = {"symbol": "BTC_USDT", "venue": "gateio", "calendar": "24/7"}
ORDERS = "SELECT count(*) FROM trading.paper_venue_orders"


def trade(number: int, seconds: float, size: float, price: str = "100.0") -> dict[str, Any]:
    """A buyer's trade as Gate.io sends it, so many seconds after START."""
    happened = START.timestamp() * 1000 + seconds * 1000
    said = {"id": str(number), "id_market": number, "create_time_ms": f"{happened:.3f}", "side": "buy"}
    return {**said, "create_time": int(happened / 1000), "amount": str(size), "price": price}


def load_frames(url: str, came: float, *trades: dict[str, Any]) -> int:
    """Store and load a batch of frames whose last one came so many seconds after START."""
    messages = [{"channel": "spot.trades", "event": "update", "result": said} for said in trades]
    body = join_frames(json.dumps(message).encode() for message in messages)
    at = START + came * SECOND
    fetch: dict[str, Any] = {
        "protocol": "gateio_trades_stream",
        "source": "gateio_trades",
        "given": GIVEN,
        "request_key": f"f{came}",
    }
    fetch_id = store_body(url, body, **fetch, fetched_at=at, answered_at=at)
    load_stored(url=url, now=at, fetch_ids=[fetch_id])
    return fetch_id


def load_answer(url: str, sent: float, came: float | None, loaded: float, *trades: dict[str, Any]) -> int:
    """Store and load an answer of REST; one that never came is a file."""
    fetch: dict[str, Any] = {
        "protocol": "gateio_trades",
        "source": "gateio_trades",
        "given": GIVEN,
        "request_key": f"r{sent}",
    }
    times: dict[str, Any] = {
        "fetched_at": START + sent * SECOND,
        "answered_at": None if came is None else START + came * SECOND,
    }
    fetch_id = store_body(url, json.dumps(trades).encode(), **fetch, **times)
    load_stored(url=url, now=START + loaded * SECOND, fetch_ids=[fetch_id])
    return fetch_id


def send(market: Connection, url: str, wallet: Wallet, seconds: float) -> None:
    """Execute what waits."""
    with connect(url) as theirs:
        execute_pending(market, PaperBroker(theirs, wallet), "paper", now=START + seconds * SECOND)


def test_a_rest_answer_that_holds_a_streamed_trade_too_gives_no_second_order(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, database_url: str
) -> None:
    wallet = open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    frames = load_frames(database_url, 70.15, trade(1, 70.1, 5.0))
    [bought] = decide(market, adbc, "paper", now=START + 70.2 * SECOND)
    assert (bought.target, bought.decided_at) == (2.0, START + 70.15 * SECOND)
    send(market, database_url, wallet, 70.25)
    load_answer(database_url, 70.0, 70.4, 72.0, trade(1, 70.1, 5.0))  # sent before the frame came
    assert decide(market, adbc, "paper", now=START + 73 * SECOND) == []
    send(market, database_url, wallet, 74.0)
    assert rows(market, ORDERS) == [(1,)]
    assert rows(market, "SELECT count(*) FROM signals.remade_decisions") == [(0,)]
    assert rows(market, "SELECT fetch_id FROM records.trades") == [(frames,)]  # which a trace leads to


def test_a_trade_that_is_corrected_is_heard_where_it_was(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, database_url: str
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    load_frames(database_url, 70.15, trade(1, 70.1, 5.0))
    assert len(decide(market, adbc, "paper", now=START + 70.2 * SECOND)) == 1
    load_answer(database_url, 71.0, 71.1, 72.0, trade(1, 70.1, 5.0, price="100.5"))
    assert rows(market, "SELECT price FROM records.trades") == [(100.5,)]
    assert decide(market, adbc, "paper", now=START + 73 * SECOND) == []


def test_trades_of_a_file_are_not_heard(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, database_url: str
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0] * 60)
    load_answer(database_url, 3600.0, None, 3600.0, trade(1, 10, 5.0))
    assert decide(market, adbc, "paper", now=START + 3601 * SECOND) == []


def test_a_hole_that_is_filled_is_heard_when_it_is_loaded_and_moves_no_decision(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, add_trades: AddTrades, database_url: str
) -> None:
    """The answer came at 62 and was loaded at 64, when its crawl had ended."""
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    load_frames(database_url, 63.0, trade(9, 63.0, 5.0))
    [bought] = decide(market, adbc, "paper", now=START + 63.1 * SECOND)
    load_answer(database_url, 61.9, 62.0, 64.0, {**trade(8, 61.0, 50.0), "side": "sell"})
    [sold] = decide(market, adbc, "paper", now=START + 64 * SECOND)
    assert (bought.decided_at, sold.decided_at) == (START + 63 * SECOND, START + 64 * SECOND)
    assert sold.trigger_kind == "trade"
    assert rows(market, "SELECT count(*) FROM signals.remade_decisions") == [(0,)]


def test_a_decision_names_the_trades_of_all_listings_that_its_strategy_heard(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, add_trades: AddTrades
) -> None:
    open_wallet(market, replace(PAPER, **FLOW, instruments=("gateio:BTC_USDT", "gateio:ETH_USDT")), now=START)
    add_candles([100.0])
    add_trades([(1, 9, 1.0, "sell")], came=9, listing=ETH)
    add_trades([(2, 10, 5.0, "buy")], came=10)
    [bought] = decide(market, adbc, "paper", now=START + 11 * SECOND)
    market.commit()
    assert bought.inputs["trades"]["listing_ids"] == [BTC, ETH]
    assert {row["listing_id"] for row in follow(market, bought.decision_id)[0].trades} == {BTC, ETH}


def test_an_answer_that_was_sent_before_a_frame_came_does_not_take_back_what_the_frame_said(
    market: Connection, database_url: str
) -> None:
    load_frames(database_url, 70.15, trade(1, 70.1, 5.0, price="100.5"))
    load_answer(database_url, 70.0, 70.4, 72.0, trade(1, 70.1, 5.0))
    assert rows(market, "SELECT price FROM records.trades") == [(100.5,)]
