"""The exchanges' protocols, asked and read as data alone: three of them tell of one market what Gate.io tells."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.planning import Request, plan
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Instrument, Sources, Website
from strades_pipelines.ingestion.parse import parse
from tests.sandbox.serving import Served
from tests.scrapers.conftest import HELD, Crawl
from tests.scrapers.scripted import Line, scripted
from tests.scrapers.test_fetching import bodies, outcomes

NOW = datetime.fromisoformat(HELD)
EVENING = (datetime(2026, 10, 31, 21, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
SYMBOLS = {"gateio": "BTC_USDT", "binance": "BTCUSDT", "coinbase": "BTC-USDT", "kraken": "XBTUSDT"}
NUMBERS = ("open", "high", "low", "close", "volume")
PAGES = "/h.example/trades?startTime"
Connection = psycopg.Connection[Any]
Rows = dict[Any, dict[str, Any]]


def questions(protocol: Protocol) -> list[Request]:
    """What a source of that protocol is asked about the evening's hours."""
    symbol = SYMBOLS[protocol.name.split("_")[0]]
    instrument = Instrument("001CC", symbol, symbol, "spot", "1h", EVENING[0], None, "spot", "USDT")
    website = Website("x", "X", "https://x.example/", True, "markets", protocol.name, "", ("001CC",), "", "x", None)
    return plan(website, Sources((website,), (instrument,)), window=EVENING, now=NOW, log={}, protocol=protocol)


def told(protocol: Protocol, found: Sequence[bytes]) -> Rows:
    """The final records of the evening in bodies, by their identity."""
    rows: Rows = {}
    for body in found:
        (table,) = (parsed := parse(protocol, body, given=questions(protocol)[0].given, fetched_at=NOW)).tables.values()
        assert parsed.rejects == ()
        for row in table.to_pylist():
            if EVENING[0] <= row.get("event_time", row.get("open_time")) < EVENING[1] and row.get("is_final", True):
                rows[row.get("trade_id") or row["open_time"]] = row
    return rows


def crawled(protocols: Sequence[Protocol], crawl: Crawl, connection: Connection) -> list[list[bytes]]:
    """The bodies of a crawl of all of them, for each in turn."""
    asked = [questions(protocol) for protocol in protocols]
    done = crawl(*(asdict(question) for each in asked for question in each))
    assert (done.code, done.summary["failed"]) == (0, []), done
    hosts = [each[0].url.split("/")[2] for each in asked]
    return [[body for url, found in bodies(connection).items() if host in url for body in found] for host in hosts]


def at_gate(kind: str, sandbox: Served) -> Rows:
    """What Gate.io tells of the evening."""
    protocol = load_protocol(f"gateio_{kind}")
    urls = [question.url.removeprefix("https://") for question in questions(protocol)]
    return told(protocol, [sandbox.get(url).body for url in urls])


def test_candles_are_those_that_the_other_venue_tells(crawl: Crawl, sandbox: Served, connection: Connection) -> None:
    protocols = [load_protocol(f"{venue}_candles") for venue in ("binance", "coinbase", "kraken")]
    theirs = at_gate("candles", sandbox)
    assert len(theirs) == 3
    for protocol, found in zip(protocols, crawled(protocols, crawl, connection), strict=True):
        ours = told(protocol, found)
        assert ours.keys() == theirs.keys()
        for time, row in ours.items():
            assert {name: row[name] for name in NUMBERS} == {name: theirs[time][name] for name in NUMBERS}


@pytest.mark.parametrize("size", [1000, 37])
def test_4_trades_are_those_that_the_other_venue_tells_whatever_the_size_of_a_page(
    size: int, crawl: Crawl, sandbox: Served, connection: Connection
) -> None:
    protocols = [load_protocol("coinbase_trades")]
    for name, limit in (("binance_trades", "limit"), ("kraken_trades", "count")):
        protocol = load_protocol(name)
        assert protocol.ask.paging
        parameters, paging = {**protocol.ask.parameters, limit: str(size)}, replace(protocol.ask.paging, size=size)
        protocols.append(replace(protocol, ask=replace(protocol.ask, parameters=parameters, paging=paging)))
    theirs = at_gate("trades", sandbox)
    coinbase, binance, kraken = crawled(protocols, crawl, connection)
    assert [len(binance) > 18, len(kraken) > 3, len(theirs)] == [size < 80, size < 480, 3 * 480]  # a minute has 8
    newest = {  # it numbers the trades of each pair without a hole; the others those of both pairs
        (number := str(2 * int(own))): {**row, "trade_id": number} for own, row in told(protocols[0], coinbase).items()
    }
    assert len(newest) == 1_000 - 4  # four are of the half minute after midnight
    of_kraken = {
        (number := str(2 * int(own))): {**row, "trade_id": number} for own, row in told(protocols[2], kraken).items()
    }
    exact = [(newest, 1), (of_kraken, 1_000), (told(protocols[1], binance), 1_000)]  # microseconds
    for ours, precision in exact:
        for number, row in ours.items():
            time = theirs[number]["event_time"]
            time = time.replace(microsecond=time.microsecond // precision * precision)
            assert {**theirs[number], "event_time": time, "knowledge_time": time, "symbol": row["symbol"]} == row
    assert exact[1][0].keys() == exact[2][0].keys() == theirs.keys()


def small_pages() -> dict[str, Any]:
    """A question about ten minutes of trades, two rows a page, to a host of the test's own."""
    question = asdict(questions(load_protocol("binance_trades"))[0])
    return question | {"url": f"https:/{PAGES}=0", "paging": {**question["paging"], "size": 2}}


def test_a_page_that_leads_to_itself_fails_its_question_and_is_not_asked_for_ever(
    crawl: Crawl, connection: Connection
) -> None:
    page = [Line(200, b'[{"T": 1793480400000}, {"T": 1793480400000}]')]
    with scripted({f"{PAGES}=0": page, f"{PAGES}=1793480400000": page}) as server:
        done = crawl(small_pages(), server=server)
    (failed,) = done.summary["failed"]
    assert failed["error"] == "more than 2 rows at one startTime, 1793480400000: the pages do not go on"
    assert all("stored" not in found for found in outcomes(connection).values())


def test_an_error_in_place_of_a_later_page_fails_the_question(crawl: Crawl, connection: Connection) -> None:
    """It came with HTTP 200, and was taken for an empty last page."""
    first, error = b'[{"T": 1}, {"T": 7}]', b'{"code": -1121, "msg": "Invalid symbol."}'
    with scripted({f"{PAGES}=0": [Line(200, first)], f"{PAGES}=7": [Line(200, error)]}) as server:
        done = crawl(small_pages(), server=server)
    assert [failed["error"] for failed in done.summary["failed"]] == ["page 2 is the provider's error -1121"]
    assert all("stored" not in found for found in outcomes(connection).values())


def test_a_page_beyond_the_window_is_not_asked_for(crawl: Crawl, connection: Connection) -> None:
    end = int(EVENING[0].timestamp() + 600) * 1_000  # ten minutes are one question
    first, last = (b'[{"T": 1}, {"T": %d}]' % time for time in (end - 1, end))
    with scripted({f"{PAGES}=0": [Line(200, first)], f"{PAGES}={end - 1}": [Line(200, last)]}) as server:
        done = crawl(small_pages(), server=server)
    assert (done.summary["stored"], done.summary["failed"]) == (2, [])
    assert f"https:/{PAGES}={end - 1}" in bodies(connection)
