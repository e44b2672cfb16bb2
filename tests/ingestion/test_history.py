"""Versions are kept, ordered and never lost, whatever the batches, the clock and the order of the loads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.ingestion import pending, stored_rows
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.verdicts import Parsed
from tests.ingestion.conftest import GATE, NOW, Store, add_listing, gate_body, gate_row

Connection = psycopg.Connection[Any]
Parse = Callable[..., Parsed]
LATER = NOW + timedelta(hours=1)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FRED = {"symbol": "VIXCLS", "unit": "index"}
FEED = (
    '<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><item><guid>1</guid><title>{}</title>'
    "<link>https://example.org/1</link><pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"
)
SEC = (
    '{{"cik": "1318605", "filings": {{"recent": {{"accessionNumber": ["0001790565-22-000015"], "form": ["4"],'
    ' "primaryDocument": ["a.xml"], "primaryDocDescription": ["{}"],'
    ' "acceptanceDateTime": ["2022-11-30T16:42:36.000Z"], "reportDate": ["2022-11-28"]}}}}}}'
)
TRADE = (
    '[{{"id": "9", "create_time_ms": "1764547200123.456", "currency_pair": "BTC_USDT", "side": "buy",'
    ' "amount": "1", "price": "{}"}}]'
)
CHART = (
    '{{"chart": {{"result": [{{"meta": {{"symbol": "AAPL", "currency": "USD", "dataGranularity": "1d",'
    ' "exchangeName": "NMS", "exchangeTimezoneName": "America/New_York"}}, "timestamp": [1645540200],'
    ' "indicators": {{"quote": [{{"open": [100], "high": [102], "low": [99], "close": [101], "volume": [1]}}]}},'
    ' "events": {{"dividends": {{"1645540200": {{"amount": {}, "date": 1645540200}}}}}}}}], "error": null}}}}'
)


@dataclass(frozen=True)
class Kind:
    """A kind of record as a body with one row of it gives it; the column `value` is `values(n)` in version n."""

    table: str
    value: str
    body: Callable[[Any], bytes]
    values: Callable[[int], Any]
    fetch: dict[str, Any]


KINDS = {
    "candle": Kind("candle", "close", lambda close: gate_body(gate_row(0, close=close)), lambda n: 100.0 + n / 64, {}),
    "observation": Kind(
        "observation",
        "value",
        lambda value: f"observation_date,VIXCLS\n2024-01-02,{value}\n".encode(),
        lambda n: 13 + n / 64,
        {"protocol": "fred_csv", "source": "fred", "given": FRED},
    ),
    "trade": Kind(
        "trade",
        "price",
        lambda price: TRADE.format(price).encode(),
        lambda n: 2 + n / 64,
        {"protocol": "gateio_trades", "given": {"symbol": "BTC_USDT", "venue": "gateio"}},
    ),
    "corporate_action": Kind(
        "corporate_action",
        "amount",
        lambda amount: CHART.format(amount).encode(),
        lambda n: 1 + n / 64,
        {"protocol": "yahoo_chart", "source": "yahoo", "given": {"symbol": "AAPL", "venue": "yahoo"}},
    ),
    "article": Kind(
        "article",
        "title",
        lambda title: FEED.format(title).encode(),
        lambda n: f"Title {n}",
        {"protocol": "feed", "source": "news", "given": {}},
    ),
    "document": Kind(
        "document",
        "title",
        lambda title: SEC.format(title).encode(),
        lambda n: f"Title {n}",
        {"protocol": "sec_submissions", "source": "sec", "given": {"symbol": "0001318605"}},
    ),
}


def state(connection: Connection) -> list[tuple[Any, ...]]:
    """What is stored of the bars, and from which body, but for when it was stored."""
    rows = connection.execute(
        "SELECT open_time, close, knowledge_time, knowledge_basis, fetch_id FROM records.candles ORDER BY open_time"
    ).fetchall()
    rows += connection.execute("SELECT fetch_id, outcome, records, rejects FROM records.parses ORDER BY 1").fetchall()
    rows += connection.execute("SELECT fetch_id, location, reason FROM records.rejects ORDER BY 1, 2, 3").fetchall()
    connection.rollback()
    return rows


def empty(connection: Connection) -> None:
    connection.execute("TRUNCATE records.candles, records.candle_revisions, records.rejects, records.parses")
    connection.commit()


def spans(connection: Connection, table: str, value: str) -> list[tuple[Any, datetime, datetime]]:
    """Each version with when it was recorded and superseded, in order."""
    return connection.execute(
        f"SELECT {value}, recorded_at, superseded_at FROM records.{table}_revisions UNION ALL"
        f" SELECT {value}, recorded_at, '2100-01-01'::timestamptz FROM records.{table}s ORDER BY 2"
    ).fetchall()


@pytest.mark.parametrize(
    ("kind", "batch"), [*((kind, 25) for kind in KINDS), *(("candle", size) for size in (1, 7, 60))]
)
def test_sixty_versions_of_one_row_are_all_kept_in_any_batches(
    kind: str, batch: int, store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = KINDS[kind]
    add_listing(connection, "yahoo", "AAPL", "XNYS")
    connection.commit()
    monkeypatch.setattr(pending, "BATCH_FETCHES", batch)
    for n in range(60):
        store(of.body(of.values(n)), request_key=f"{n}", fetched_at=NOW + timedelta(seconds=n), **of.fetch)
    load_stored(url=database_url, now=LATER)
    versions = spans(connection, of.table, of.value)
    assert [version for version, _, _ in versions] == [of.values(n) for n in range(60)]
    for (_, recorded, superseded), (_, following, _) in pairwise(versions):
        assert recorded < superseded == following
    with adbc_connect(database_url) as reading, reading.cursor() as cursor:
        for version, recorded, superseded in versions[::7]:
            for instant in (recorded, superseded - MICROSECOND):
                stood = read_as_of(cursor, f"records.{of.table}s", [of.value], known_at=FAR, recorded_as_of=instant)
                assert stood[of.value].to_pylist() == [version]


def test_recorded_at_never_runs_backwards_when_the_clock_does(
    store: Store, connection: Connection, database_url: str
) -> None:
    for n, now in enumerate((LATER, LATER - timedelta(days=1), LATER - timedelta(days=2), LATER + timedelta(days=1))):
        store(gate_body(gate_row(0, close=100.0 + n / 64), gate_row(n + 1)), request_key=f"{n}",
              fetched_at=NOW + timedelta(seconds=n))  # fmt: skip
        load_stored(url=database_url, now=now)
    versions = spans(connection, "candle", "close")
    times = connection.execute(
        "SELECT recorded_at FROM records.candles WHERE open_time > '2026-11-01T00:00Z' ORDER BY open_time"
    ).fetchall()
    assert times == sorted(times)
    assert times[0] == (LATER,)
    old = connection.execute(
        "SELECT close, recorded_at, superseded_at FROM records.candle_revisions ORDER BY recorded_at"
    ).fetchall()
    assert [close for close, _, _ in old] == [100.0, 100.0 + 1 / 64, 100.0 + 2 / 64]
    assert all(recorded < superseded for _, recorded, superseded in old)
    assert len(versions) == 8


def test_two_loaders_with_different_clocks_keep_versions_in_order(
    store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "BATCH_FETCHES", 2)
    for n in range(30):
        store(gate_body(gate_row(0, close=100.0 + n / 64)), request_key=f"{n}", fetched_at=NOW + timedelta(seconds=n))
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda now: load_stored(url=database_url, now=now), (LATER, LATER - timedelta(days=1))))
    versions = spans(connection, "candle", "close")
    assert versions[-1][0] == 100.0 + 29 / 64
    for (_, recorded, superseded), (_, following, _) in pairwise(versions):
        assert recorded < superseded == following


def refusing(real: Parse, closes: set[float]) -> Parse:
    """The next parser: it does not accept bars of these closes."""

    def parse(protocol: Protocol, body: bytes, **how: Any) -> Parsed:
        parsed = real(protocol, body, **how)
        kept = {
            kind: table.filter(pc.invert(pc.is_in(table["close"], pc.cast(list(closes), "float64"))))
            if kind == "candle" and closes
            else table
            for kind, table in parsed.tables.items()
        }
        return Parsed(kept, parsed.rejects)

    return parse


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_row_that_a_later_body_no_longer_yields_is_the_earlier_ones_again(
    order: tuple[int, int], store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [
        store(gate_body(gate_row(0, close=101.0), gate_row(1)), request_key="a", fetched_at=NOW),
        store(gate_body(gate_row(0, close=99.5), gate_row(2)), request_key="b", fetched_at=NOW + timedelta(minutes=1)),
    ]
    load_stored(url=database_url, now=LATER)
    monkeypatch.setattr(stored_rows, "parse_bounded", refusing(parse_bounded, {99.5}))
    for n in order:
        load_stored(url=database_url, now=LATER, fetch_ids=[bodies[n]], reparse=True)
    again = state(connection)
    assert [row[1] for row in again[:3]] == [101.0, 101.0, 101.0]
    old = connection.execute("SELECT close FROM records.candle_revisions ORDER BY recorded_at").fetchall()
    assert old == [(101.0,), (99.5,)]
    connection.rollback()
    empty(connection)
    load_stored(url=database_url, now=LATER)
    assert again == state(connection)


CLOSES = (99.5, 100.0, 100.5, 101.0)
BODIES = st.lists(
    st.dictionaries(st.integers(0, 3), st.sampled_from(CLOSES), min_size=1, max_size=4), min_size=2, max_size=6
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bodies=BODIES, before=st.sets(st.sampled_from(CLOSES)), after=st.sets(st.sampled_from(CLOSES)))
def test_loaded_and_parsed_again_in_any_order_is_what_a_fresh_load_leaves(
    data: st.DataObject,
    bodies: list[dict[int, float]],
    before: set[float],
    after: set[float],
    store: Store,
    connection: Connection,
    database_url: str,
) -> None:
    empty(connection)
    connection.execute("TRUNCATE rawsources.fetches, rawsources.bodies CASCADE")
    connection.commit()
    ids = [
        store(gate_body(*(gate_row(minute, close=close) for minute, close in sorted(body.items()))),
              request_key=f"{n}", fetched_at=NOW + timedelta(seconds=n), source=("gateio", "mirror")[n % 2], given=GATE)
        for n, body in enumerate(bodies)
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for refused, reparse in ((before, False), (after, True)):
            patch.setattr(stored_rows, "parse_bounded", refusing(parse_bounded, refused))
            order = data.draw(st.permutations(ids))
            size = data.draw(st.integers(1, len(ids)))
            patch.setattr(pending, "BATCH_FETCHES", data.draw(st.integers(1, 3)))
            for first in range(0, len(order), size):
                load_stored(url=database_url, now=LATER, fetch_ids=order[first : first + size], reparse=reparse)
        parsed_again = state(connection)
        times = "SELECT FROM records.candle_revisions WHERE superseded_at <= recorded_at"
        assert connection.execute(times).fetchall() == []
        connection.rollback()
        empty(connection)
        load_stored(url=database_url, now=LATER)
        assert parsed_again == state(connection)


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_that_an_older_body_said_is_kept_though_the_newer_body_was_read_first(
    kind: str, store: Store, connection: Connection, database_url: str
) -> None:
    """As a load in the order of the fetches keeps it; what changed since is known with the body that shows it."""
    of = KINDS[kind]
    add_listing(connection, "yahoo", "AAPL", "XNYS")
    connection.commit()
    ids = [
        store(of.body(of.values(n)), request_key=f"{n}", fetched_at=NOW + timedelta(days=n), **of.fetch)
        for n in range(3)
    ]
    for fetch_id in (ids[2], ids[0], ids[1]):
        load_stored(url=database_url, now=LATER, fetch_ids=[fetch_id])
    versions = spans(connection, of.table, of.value)
    assert {float(value) if kind not in ("article", "document") else value for value, *_ in versions[:-1]} >= {
        of.values(0), of.values(1)
    }  # fmt: skip
    assert versions[-1][0] == of.values(2)
    assert all(recorded < superseded for _, recorded, superseded in versions)
    for again in (False, True):
        load_stored(url=database_url, now=LATER, fetch_ids=ids[:2], reparse=again)
        assert spans(connection, of.table, of.value) == versions
    shown = NOW + timedelta(days=2)
    if kind == "observation":
        known = connection.execute(
            "SELECT max(knowledge_time) FROM records.observation_versions WHERE value = %s", [of.values(2)]
        ).fetchone()
        assert known == (shown,)
    if kind == "article":
        known = connection.execute(
            "SELECT records.article_known_from(source, article_id, recorded_at, fetch_id, knowledge_time)"
            " FROM records.articles"
        ).fetchone()
        assert known == (shown,)


def test_trades_of_ids_that_begin_anew_each_day_are_trades_of_their_own(
    store: Store, connection: Connection, database_url: str
) -> None:
    """Nasdaq's and Polygon's ids are unique in a day: see the documentation of their trades."""
    of = KINDS["trade"]
    for day in range(2):
        body = of.body(2.0).replace(b"1764547200123.456", f"{1764547200123 + day * 86_400_000}".encode())
        store(body, request_key=f"{day}", fetched_at=NOW + timedelta(hours=day), **of.fetch)
    load_stored(url=database_url, now=LATER)
    assert connection.execute("SELECT count(*), count(DISTINCT trade_id) FROM records.trades").fetchone() == (2, 1)
    assert connection.execute("SELECT count(*) FROM records.trade_revisions").fetchone() == (0,)
