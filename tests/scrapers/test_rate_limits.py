"""What a provider says of its limits is heeded: by codes with HTTP 200, by headers, by patience that it asks for."""

from dataclasses import asdict
from typing import Any

import psycopg
import pytest

from scrapers.plan import RateLimitErrors, UsageHeader
from scrapers.rate_limits import stated_rate_limit, usage_wait
from strades_pipelines.datamanager.host_limits import HostLimits, read_hosts
from strades_pipelines.datamanager.protocols import load_protocol
from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.misbehaving import raw_server, response
from tests.scrapers.scripted import Line, scripted
from tests.scrapers.test_exchanges import questions
from tests.scrapers.test_fetching import bodies

KRAKEN_LIMIT = b'{"error": ["EAPI:Rate limit exceeded"]}'
KRAKEN_FAULT = b'{"error": ["EQuery:Unknown asset pair"]}'
BINANCE_LIMIT = b'{"code": -1003, "msg": "Too many requests"}'
Connection = psycopg.Connection[Any]


def question(protocol: str, path: str) -> dict[str, Any]:
    return asdict(questions(load_protocol(protocol))[0]) | {"url": f"https:/{path}", "paging": None}


def test_a_stated_rate_limit_is_asked_again_and_another_error_is_not(crawl: Crawl, connection: Connection) -> None:
    script = {
        "/k.example/busy": [Line(200, KRAKEN_LIMIT), Line(200, b'{"error": [], "result": {}}')],
        "/b.example/busy": [Line(200, BINANCE_LIMIT), Line(200, b"[]")],
        "/k.example/wrong": [Line(200, KRAKEN_FAULT), Line(200, b"{}")],
        "/b.example/tired": [Line(200, BINANCE_LIMIT)],
    }
    protocols = {path: "kraken_candles" if path.startswith("/k") else "binance_candles" for path in script}
    asked = [question(protocol, path) | {"request_key": path} for path, protocol in protocols.items()]
    with scripted(script) as server:
        done = crawl(*asked, server=server, retries=1)
    stored = bodies(connection)
    assert stored["https://k.example/busy"] == [b'{"error": [], "result": {}}']
    assert stored["https://b.example/busy"] == [b"[]"]
    assert stored["https://k.example/wrong"] == [KRAKEN_FAULT]  # kept as it came, and refused by its parser
    [failed] = done.summary["failed"]
    assert failed["error"] == "the provider's rate limit -1003 (after 2 tries)"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (KRAKEN_LIMIT, "EAPI:Rate limit exceeded"),
        (b'{"error": ["WAPI:Odd", "EService:Throttled:1793480400"]}', "EService:Throttled"),
        (b'{"error": ["EService:Throttled"]}' + b" " * 20_000, None),  # no error is so long
        (b'{"error": ["EService:Throttledness"]}', None),
        (b'{"error": []}', None),
        (b'{"error": null}', None),
        (b'{"error": {"EAPI:Rate limit exceeded": 1}}', None),
        (b"[1]", None),
        (b"\xff not JSON", None),
    ],
)
def test_only_the_stated_codes_are_a_rate_limit(body: bytes, code: str | None) -> None:
    asked = load_protocol("kraken_trades").ask.rate_limit_errors
    assert asked is not None
    assert stated_rate_limit(body, RateLimitErrors(asked.at, asked.codes)) == code
    assert stated_rate_limit(body, None) is None


def test_patience_that_a_host_asks_one_crawl_for_holds_every_other_one_back(
    crawl: Crawl, connection: Connection
) -> None:
    script = {
        "/tired.example/1": [Line(418, b"", {"Retry-After": "7200"})],
        "/busy.example/1": [Line(429, b"", {"Retry-After": "2"}), Line(200, b"at last")],
        "/busy.example/2": [Line(200, b"later")],
        "/tired.example/2": [Line(200, b"should not have been asked")],
    }
    with scripted(script) as server:
        crawl(ask("https://tired.example/1"), ask("https://busy.example/1"), server=server, retries=0)
        other = crawl(ask("https://tired.example/2"), ask("https://busy.example/2"), server=server, source="other")
        [failed] = other.summary["failed"]
        assert failed["error"] == "not asked: the host wants to be left alone for 7200 s"
        assert bodies(connection) == {"https://busy.example/2": [b"later"]}
        tired = next(row for row in read_hosts(connection) if row.host == "tired.example")
        assert (tired.word, tired.is_asked) == ("paused", False)
        connection.commit()
        assert HostLimits(connection, 0).release("tired.example")
        crawl(ask("https://tired.example/2"), server=server)
    assert bodies(connection)["https://tired.example/2"] == [b"should not have been asked"]


def test_a_host_that_is_down_is_asked_by_one_request_until_it_answers(crawl: Crawl, connection: Connection) -> None:
    answers = {f"/dead.example/{n}": None for n in range(4)} | {"/dead.example/good": response(b"good")}
    asked: list[str] = []
    with raw_server(answers, asked) as server:
        slow = {"server": server, "timeout_seconds": 0.5, "retries": 0}
        crawl(*(ask(f"https:/{path}") for path in answers if path != "/dead.example/good"), **slow)
        assert [row.word for row in read_hosts(connection)] == ["open"]
        connection.commit()
        before = len(asked)
        held = crawl(ask("https://dead.example/good"), **slow)
        assert held.summary["failed"][0]["error"] == "not asked: the host did not answer 3 times in a row"
        assert len(asked) == before
        connection.execute("UPDATE ops.host_limits SET blocked_until = clock_timestamp()")  # the cool-down is over
        connection.commit()
        assert crawl(ask("https://dead.example/good"), **slow).summary["stored"] == 1
    assert [(row.word, row.failures) for row in read_hosts(connection)] == [("closed", 0)]


def test_a_header_that_says_that_the_limit_is_reached_pauses_the_host(crawl: Crawl, connection: Connection) -> None:
    usage = load_protocol("binance_trades").ask.usage_header
    assert usage is not None
    script = {f"/b.example/{n}": [Line(200, b"[]", {usage.name: str(used)})] for n, used in enumerate([5399, 5400, 7])}
    asked = [question("binance_trades", path) | {"request_key": path} for path in script]
    one_by_one = {"requests_per_second": 100.0, "concurrency": 1}
    with scripted(script) as server:
        done = crawl(*asked, server=server, rate=one_by_one, budget_seconds=1.0)
    [row] = read_hosts(connection)
    assert row.blocked_because == "X-MBX-USED-WEIGHT-1M is at the limit of 5400"
    assert row.blocked_until is not None
    assert abs((row.blocked_until.timestamp() + 30) % 60 - 30) < 1  # to the end of Binance's minute
    assert done.summary["stored"] in (2, 3)  # 3: the minute ended within the crawl's second


@pytest.mark.parametrize(
    ("value", "counts", "wait"),
    [
        ("5400", "used", 30.0),
        ("99999", "used", 30.0),
        ("5399", "used", None),
        ("0", "remaining", 30.0),
        ("5401", "remaining", None),
        (None, "used", None),
        ("-1", "remaining", None),
        ("1e9", "used", None),
        ("9" * 5_000, "used", None),
    ],
)
def test_usage_is_read_from_whole_numbers_alone(value: str | None, counts: Any, wait: float | None) -> None:
    assert usage_wait(value, UsageHeader("X-Used", counts, 5400, 60), 1_793_480_430.0) == wait
