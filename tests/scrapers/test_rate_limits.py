"""What says with HTTP 200 that it is asked too often is asked again, by the codes that its protocol states."""

from dataclasses import asdict
from typing import Any

import psycopg
import pytest

from scrapers.plan import RateLimitErrors
from scrapers.rate_limits import stated_rate_limit
from strades_pipelines.datamanager.protocols import load_protocol
from tests.scrapers.conftest import Crawl
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
