"""Real spiders, a real server, a real database: what is stored of what was sent."""

import gzip
import hashlib
import json
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import psycopg
import zstandard

from strades_pipelines.market.ids import int63
from tests.sandbox.serving import Served
from tests.scrapers.conftest import HELD, Crawl, ask
from tests.scrapers.scripted import Line, scripted

GATE = "https://api.gateio.ws/api/v4/spot"
CANDLES = f"{GATE}/candlesticks?currency_pair=BTC_USDT&interval=1h&from=1793404800&to=1793487600"
RATES = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"
NOW = datetime.fromisoformat(HELD)
Connection = psycopg.Connection[Any]


def bodies(connection: Connection) -> dict[str, list[bytes]]:
    """What is stored for each URL, decompressed and checked against its hash and size."""
    found: dict[str, list[bytes]] = {}
    rows = connection.execute(
        "SELECT url, sha256, size, body FROM rawsources.fetches JOIN rawsources.bodies USING (sha256)"
    )
    for url, sha256, size, compressed in rows:
        body = zstandard.ZstdDecompressor().decompress(compressed)
        assert (hashlib.sha256(body).digest(), len(body)) == (sha256, size)
        found.setdefault(url, []).append(body)
    return found


def outcomes(connection: Connection) -> dict[str, list[str]]:
    """The outcomes of each URL, oldest first."""
    found: dict[str, list[str]] = {}
    for url, outcome in connection.execute("SELECT url, outcome FROM rawsources.fetches ORDER BY fetched_at, outcome"):
        found.setdefault(url, []).append(outcome)
    return found


def fetches(connection: Connection) -> list[dict[str, Any]]:
    """All rows of the fetch log."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute("SELECT * FROM rawsources.fetches ORDER BY fetched_at, url").fetchall()


def count(connection: Connection, table: str) -> int:
    """How many rows a table of rawsources has."""
    row = connection.execute(f"SELECT count(*) FROM rawsources.{table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_body_is_stored_byte_for_byte_whatever_its_kind(
    crawl: Crawl, sandbox: Served, connection: Connection
) -> None:
    sent = {url: [sandbox.get(url.removeprefix("https://")).body] for url in (CANDLES, RATES)}
    done = crawl(ask(CANDLES), ask(RATES, kind="file"))
    assert done.code == 0, done.stderr
    assert bodies(connection) == sent
    size = sum(len(body) for (body,) in sent.values())
    assert {**done.summary, "seconds": 0} == {
        "source": "test",
        "stored": 2,
        "not_modified": 0,
        "bytes": size,
        "failed": [],
        "seconds": 0,
    }
    assert sandbox.app.asked[-1].user_agent == "strades-tests/1 (nobody@example.org)"


def test_a_question_of_which_a_page_fails_is_not_answered_in_part(
    crawl: Crawl, sandbox: Served, connection: Connection
) -> None:
    sandbox.misbehave("api.gateio.ws", "slow", seconds=0, times=1)  # the first page comes, the second never does
    sandbox.misbehave("api.gateio.ws", "500")
    url = f"{GATE}/trades?currency_pair=BTC_USDT&limit=1000&from=1793480400&to=1793491200"
    done = crawl(ask(url, paging={"param": "page", "size": 1000}))
    assert (done.code, done.summary["stored"]) == (0, 0)
    assert outcomes(connection) == {f"{url}&page=2": ["failed"]}
    assert count(connection, "bodies") == 0


PERMANENT = {
    "html200": ("stored", None),
    "empty": ("stored", None),
    "corrupt": ("stored", None),
    "429": ("failed", "HTTP 429"),
    "500": ("failed", "HTTP 500"),
    "slow": ("failed", "no whole answer within 1 s"),
    "truncated": ("failed", "the connection ended before the whole body had come"),
    "refuse": ("failed", ""),
}


def test_each_way_to_misbehave_has_its_outcome(crawl: Crawl, sandbox: Served, connection: Connection) -> None:
    good = json.dumps({"prices": list(range(100))}).encode()
    folder = sandbox.app.world.extra / "files.example.org"
    folder.mkdir(exist_ok=True)
    for kind in PERMANENT:
        (folder / kind).write_bytes(good)
        sandbox.misbehave("files.example.org", kind, path_prefix=kind, seconds=3 if kind == "slow" else 0)
    done = crawl(*[ask(f"https://files.example.org/{kind}") for kind in PERMANENT], timeout_seconds=1.0)
    assert done.code == 0, done.stderr
    assert outcomes(connection) == {
        f"https://files.example.org/{kind}": [what] for kind, (what, _) in PERMANENT.items()
    }
    errors = {entry["url"].rsplit("/")[-1]: entry["error"] for entry in done.summary["failed"]}
    assert set(errors) == {kind for kind, (what, _) in PERMANENT.items() if what == "failed"}
    assert all(
        said in errors[kind] and "after 2 tries" in errors[kind]
        for kind, (_, said) in PERMANENT.items()
        if kind in errors
    )
    kept = {url.rsplit("/")[-1]: body for url, (body,) in bodies(connection).items()}
    assert kept["empty"] == b""
    assert kept["html200"].startswith(b"<!DOCTYPE html>")
    assert len(kept["corrupt"]) == len(good)
    assert kept["corrupt"] != good


def test_encodings_redirects_and_dates_to_wait_for(crawl: Crawl, connection: Connection) -> None:
    zipped = gzip.compress(b'{"a": 1}', mtime=0)
    later = "Sun, 01 Nov 2026 00:00:31 GMT"  # one second after the held clock
    script = {
        "/h.example/encoded": [Line(200, zipped, {"Content-Encoding": "gzip"})],
        "/h.example/file.gz": [Line(200, zipped, {"Content-Type": "application/gzip"})],
        "/h.example/moved": [Line(302, b"", {"Location": "/there"})],
        "/h.example/there": [Line(200, b"found")],
        "/h.example/away": [Line(301, b"", {"Location": "https://evil.example/there"})],
        "/h.example/busy": [Line(503, b"", {"Retry-After": later}), Line(200, b"at last")],
        "/tired.example/1": [Line(429, b"", {"Retry-After": "86400"})],
        "/tired.example/2": [Line(200, b"should not have been asked")],
    }
    urls = [f"https:/{path}" for path in script if not path.endswith("/there")]
    with scripted(script) as server:
        done = crawl(*map(ask, urls), server=server, rate={"requests_per_second": 10.0, "concurrency": 1})
    assert {url.rsplit("/")[-1]: body for url, (body,) in bodies(connection).items()} == {
        "encoded": b'{"a": 1}',
        "file.gz": zipped,
        "moved": b"found",
        "busy": b"at last",
    }
    errors = {entry["url"].rsplit("/")[-1]: entry["error"] for entry in done.summary["failed"]}
    assert "only redirects on the same host" in errors["away"]
    assert errors["1"].startswith("HTTP 429")
    assert "left alone for 86400 s" in errors["2"]
    assert done.summary["seconds"] >= 1


def test_the_action_chain_and_the_log_tell_the_run(crawl: Crawl, sandbox: Served, connection: Connection) -> None:
    sandbox.misbehave("api.gateio.ws", "500", times=1)
    bad = f"{GATE}/candlesticks?currency_pair=NO_SUCH"
    crawl(ask(CANDLES))
    crawl(ask(bad))
    rows = connection.execute("SELECT id, time_gmt, action_chain FROM rawsources.protocols_storage").fetchall()
    ((identity, at, chain),) = rows
    assert (identity, at) == ("run-1/test", NOW)
    steps = [(step["op"], step["count"]) for step in chain]
    first = [("planned", 1), ("requested", 2), ("retried", 1), ("stored", 1)]
    assert steps == [*first, ("planned", 1), ("requested", 1), ("failed", 1)]
    assert {step["first_at"] for step in chain} == {HELD}
    log = connection.execute(
        "SELECT level, message, source, run_id, time_gmt FROM rawsources.live_scrapper_logs_info ORDER BY id"
    )
    lines = log.fetchall()
    assert {line[2:] for line in lines} == {("test", "run-1", NOW)}
    assert any(level == "WARNING" and "INVALID_CURRENCY_PAIR" in message for level, message, *_ in lines)


def test_secrets_are_stored_and_logged_nowhere(crawl: Crawl, connection: Connection) -> None:
    secrets = ["CANARY-QUERY", "CANARY-HEADER"]
    script = {
        "/h.example/good?api_key=CANARY-QUERY": [Line(200, b"{}")],
        "/h.example/bad?token=CANARY-QUERY": [Line(403, b"no CANARY-HEADER, and no CANARY-QUERY either")],
    }
    headers = {"Authorization": f"Bearer {secrets[1]}", "X-Api-Key": secrets[1]}
    with scripted(script) as server:
        done = crawl(*[ask(f"https:/{path}", request_key=path[:14], headers=headers) for path in script], server=server)
    assert done.code == 0
    rows = [
        *connection.execute("SELECT t::text FROM rawsources.fetches t"),
        *connection.execute("SELECT t::text FROM rawsources.protocols_storage t"),
        *connection.execute("SELECT t::text FROM rawsources.live_scrapper_logs_info t"),
    ]
    everything = "\n".join([*(text for (text,) in rows), json.dumps(done.summary), done.stderr])
    assert [secret for secret in secrets if secret in everything] == []
    assert "api_key=***" in everything
    assert "HTTP 403: no ***, and no *** either" in everything


def test_the_fetch_row_says_it_all_and_asking_again_at_the_same_instant_writes_nothing(
    crawl: Crawl, connection: Connection
) -> None:
    window = {"window_start": "2026-10-31T00:00:00Z", "window_end": "2026-11-01T00:00:00Z", "month": "2026-10-01"}
    crawl(ask(CANDLES, **window))
    row = fetches(connection)[0]
    assert crawl(ask(CANDLES, **window)).code == 0
    assert fetches(connection) == [row]
    headers = row.pop("headers")
    key = f"key of {CANDLES}"
    assert row == {
        "fetch_id": int63("test", key, CANDLES, NOW, "stored", row["sha256"].hex()),
        "source": "test",
        "protocol": "test_protocol",
        "request_key": key,
        "method": "GET",
        "url": CANDLES,
        "given": {"symbol": "BTC_USDT"},
        "window_start": datetime(2026, 10, 31, tzinfo=UTC),
        "window_end": datetime(2026, 11, 1, tzinfo=UTC),
        "month": date(2026, 10, 1),
        "status": 200,
        "etag": None,
        "last_modified": None,
        "fetched_at": NOW,
        "answered_at": NOW,
        "outcome": "stored",
        "error": None,
        "sha256": row["sha256"],
        "run_id": "run-1",
        "is_parsed": False,
    }
    assert headers["content-type"] == "application/json"
    assert not [name for name in headers if "ratelimit" in name]


def test_an_unchanged_body_is_not_sent_again(crawl: Crawl, sandbox: Served, connection: Connection) -> None:
    yahoo = "https://query1.finance.yahoo.com/v8/finance/chart/IBM?period1=1300000000&period2=1310000000&interval=1d"
    crawl(ask(RATES, kind="file"))
    (first,) = fetches(connection)
    marks = {"etag": first["etag"], "last_modified": first["last_modified"]}
    never_stored = sandbox.get(yahoo.removeprefix("https://")).headers["etag"]
    asked_again = [ask(RATES, kind="file", **marks), ask(yahoo, etag=never_stored)]
    done = crawl(*asked_again, now="2026-11-02T00:00:00Z")
    assert (done.summary["stored"], done.summary["not_modified"], done.summary["bytes"]) == (0, 1, 0)
    assert [asked.status for asked in list(sandbox.app.asked)[-2:]] == [304, 304]
    (again,) = [row for row in fetches(connection) if row["outcome"] == "not_modified"]
    assert (again["status"], again["sha256"]) == (304, first["sha256"])
    assert {name: again[name] for name in marks} == marks
    assert count(connection, "bodies") == 1
    ((url, error),) = [(entry["url"], entry["error"]) for entry in done.summary["failed"]]
    assert (url, "no body of this question is stored" in error) == (yahoo, True)


def test_pages_are_asked_for_until_one_is_not_full_and_no_faster_than_planned(
    crawl: Crawl, sandbox: Served, connection: Connection
) -> None:
    three_hours = f"{GATE}/trades?currency_pair=BTC_USDT&limit=1000&from=1793480400&to=1793491200"  # 8 trades a minute
    one_hour = f"{GATE}/trades?currency_pair=BTC_USDT&limit=480&from=1793487600&to=1793491200"
    done = crawl(
        ask(three_hours, paging={"param": "page", "size": 1000}),
        ask(one_hour, paging={"param": "page", "size": 480}),
        rate={"requests_per_second": 2.5, "concurrency": 4},
    )
    times = [asked.at for asked in sandbox.app.asked]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.1  # Scrapy takes 0.2 to 0.6 s at random
    assert done.summary["stored"] == 4
    pages = {url: json.loads(body) for url, (body,) in bodies(connection).items()}
    lengths = {three_hours: 1000, f"{three_hours}&page=2": 440, one_hour: 480, f"{one_hour}&page=2": 0}
    assert {url: len(page) for url, page in pages.items()} == lengths
    ids = [int(trade["id"]) for trade in pages[three_hours] + pages[f"{three_hours}&page=2"]]
    assert ids == sorted(set(ids), reverse=True)


def test_what_cannot_help_is_not_asked_again_and_says_why(
    crawl: Crawl, sandbox: Served, connection: Connection
) -> None:
    wrong, absent = f"{GATE}/candlesticks?currency_pair=NO_SUCH", "https://nowhere.example/x"
    done = crawl(ask(wrong), ask(absent, kind="file"), ask(RATES, kind="file", max_bytes=1_000))
    errors = {entry["url"]: entry["error"] for entry in done.summary["failed"]}
    assert errors[wrong].startswith("HTTP 400")
    assert "INVALID_CURRENCY_PAIR" in errors[wrong]
    assert errors[absent].startswith("HTTP 404")
    assert errors[RATES] == "the body is larger than 1000 bytes (max_bytes of its protocol)"
    assert len(sandbox.app.asked) == 3
    assert outcomes(connection) == {key: ["failed"] for key in (wrong, absent, RATES)}
    assert count(connection, "bodies") == 0
