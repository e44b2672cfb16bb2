"""The data manager: every table as SQL has it, filtered and paged safely; from any row to its bytes; nothing secret."""

import csv
import hashlib
import json
import re
from datetime import UTC, datetime
from html import unescape
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import psycopg
import pyarrow.parquet as pq
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.datamanager import tables
from dashboard.gateway import rows as gateway
from dashboard.gateway.reading import snapshot
from dashboard.gateway.row_queries import Order, page_query
from dashboard.gateway.tables import LAYERS, read_table
from strades_pipelines.brokerage.live import measure
from strades_pipelines.database.connection import connect
from strades_pipelines.database.migrate import MIGRATIONS
from strades_pipelines.database.roles import DASHBOARD_ROLE
from strades_pipelines.ingestion.month_partitions import create_months
from strades_pipelines.installation.examination import Finding, keep_examination
from strades_pipelines.settings import PROJECT, settings
from tests.brokerage.conftest import AddCandles, rows
from tests.dashboard.conftest import BODY, CLOCK, ClientOf, rows_of, store
from tests.dashboard.test_today import MOST_QUERIES

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection
    from django.test import Client

Connection = psycopg.Connection[Any]
HOSTILE = "<script>alert(1)</script>'; DROP TABLE records.candles; --"
# Nested deeper than Python's stack, a lone surrogate, more digits than Python makes a number of.
HOSTILE_PLACES = "[" * 9_000, json.dumps(["11", "1m", "\ud800"]), f"[{'1' * 5_000}]"
# As the standard's catalogue names them, which the registry does not read. A month's partition is a part of its table.
READABLE = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema = ANY(%s) AND has_table_privilege(%s, table_schema || '.' || quote_ident(table_name), 'SELECT')
        AND (table_schema || '.' || quote_ident(table_name))::regclass NOT IN (SELECT inhrelid FROM pg_inherits)
"""


COLD = """
    INSERT INTO records.cold_months (relation, month, path, row_count, size, sha256, content_sha256, archived_at)
    VALUES ('records.trades', %s, 'p', 1, 1, 's', 's', '2026-03-05')
"""


def page(client: "Client", path: str, status: int = 200) -> str:
    """The text of a page."""
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return unescape(str(answer.content.decode()))


def keys_of(text: str) -> list[list[str]]:
    """The keys of the rows of a page, in their order."""
    return [json.loads(unquote(unescape(key))) for key in re.findall(r'row/\?key=([^"]+)"', text)]


def test_the_page_of_a_table_says_which_of_its_months_are_cold(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    assert "cold store" not in page(client, "/data/records/trades/")
    traded.execute(COLD, ["2026-01-01"])
    traded.commit()
    text = page(client, "/data/records/trades/")
    assert "The rows of 2026-01 are in the cold store and not on this page" in text
    traded.execute(COLD, ["2025-12-01"])
    traded.commit()
    assert "The rows of 2 months, 2025-12 to 2026-01, are in the cold store" in page(client, "/data/records/trades/")
    assert "cold store" not in page(client, "/data/records/quotes/")


def test_a_table_is_as_fresh_as_the_newest_of_its_partitions(traded: Connection, client_of: ClientOf) -> None:
    create_months(traded, datetime(2026, 11, 20, tzinfo=UTC))
    for at, stored in (("2026-10-05Z", "2031-02-03T04:05:06Z"), ("2026-11-05Z", "2032-02-03T04:05:06Z")):
        traded.execute(
            "INSERT INTO records.trades SELECT min(listing_id), 'a', %s, 1, 1, 'buy', %s, 'stated', 1, %s"
            " FROM records.listings",
            [at, at, stored],
        )
    traded.commit()
    client = client_of("viewer")
    # The rows have both times; what is told above them has the newest.
    assert page(client, "/data/records/trades/").count("2032-02-03T04:05:06") > 1
    assert "2032-02-03T04:05:06" in page(client, "/data/")
    assert "trades_2026_11" not in page(client, "/data/")


def test_every_table_of_the_layers_is_listed_and_no_account_can_be_asked_for(
    traded: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    listed = set(re.findall(r'href="/data/(\w+)/(\w+)/"', page(client, "/data/")))
    expected = set(traded.execute(READABLE, [list(LAYERS), DASHBOARD_ROLE]).fetchall())
    traded.rollback()
    assert listed == expected
    assert ("trading", "fills") in listed
    for path in ("dashboard/user_logging_info", "dashboard/django_session", "public/_yoyo_migration"):
        page(client, f"/data/{path}/", 404)
    for path in ("pg_catalog/pg_authid", "records/nothing", "records/%00", "records/candles%22%20--"):
        page(client, f"/data/{path}/", 404)
    text = page(client, "/data/")
    assert "The fetch log: every attempt, with what was asked and what came." in text
    assert re.search(r"candles</b>.*?listing_id, interval, open_time", text, re.DOTALL)
    [(newest,)] = rows(traded, "SELECT max(recorded_at) FROM records.candles")
    assert newest.isoformat() in text


def test_pages_follow_each_other_without_a_gap_in_every_order(
    traded: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SHOWN_ROWS", 2)
    client = client_of("viewer")
    times = [time for (time,) in rows(traded, "SELECT open_time FROM records.candles ORDER BY open_time")]
    assert len(times) > 4
    for sort, expected in (("", times), ("-listing_id,interval,open_time", times[::-1])):
        seen: list[datetime] = []
        path: str | None = f"/data/records/candles/?sort={sort}"
        while path:
            text = client.get(path).content.decode()
            seen += [datetime.fromisoformat(key[2]) for key in keys_of(text)]
            link = re.search(r'href="(\?[^"]*after=[^"]+)" rel="next"', text)
            path = "/data/records/candles/" + unescape(link[1]) if link else None
        assert seen == expected


def test_pages_are_in_the_order_of_an_index_also_where_a_key_has_texts(traded: Connection, site: str) -> None:
    """By the column that is shown, a text cut to its first letters, each page sorted the whole table."""
    with snapshot(), connections["layers"].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for schema, name in (("records", "candles"), ("trading", "fills")):
            table = read_table(schema, name)
            assert table is not None
            query, parameters = page_query(table, [], Order(table.orders[0]), most=3, letters=100)
            cursor.execute("EXPLAIN " + gateway.query_text(query, parameters))
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Index Scan" in plan, plan
            assert "Sort" not in plan, plan


def test_filters_leave_the_rows_that_sql_leaves(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    cases = {
        ("close", "gt", "100.5"): "close > 100.5",
        ("open_time", "lt", "2024-01-02T00:02Z"): "open_time < '2024-01-02T00:02Z'",
        ("interval", "eq", "1m"): "\"interval\" = '1m'",
        ("knowledge_basis", "contains", "STAT"): "knowledge_basis ILIKE '%stat%'",
        ("volume", "missing", ""): "volume IS NULL",
        ("knowledge_basis", "eq", HOSTILE): "false",
    }
    for (column, operator, value), condition in cases.items():
        address = f"/data/records/candles/?column={column}&operator={operator}&value={quote(value)}"
        text = client.get(address).content.decode()
        expected = rows(traded, f"SELECT open_time FROM records.candles WHERE {condition} ORDER BY open_time")
        assert [datetime.fromisoformat(key[2]) for key in keys_of(text)] == [time for (time,) in expected], column
        assert "<script" not in text
    assert rows(traded, "SELECT count(*) > 0 FROM records.candles") == [(True,)]


def test_what_a_table_does_not_have_is_refused_with_a_line(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    for wrong in (
        "column=nothing&operator=eq&value=1",
        "column=close&operator=eq&value=abc",
        "column=close&operator=~&value=1",
        "column=open_time&operator=lt&value=2024-02-30",
        "column=knowledge_basis&operator=eq&value=%00",
        "after=x",
        "after=%5B%5D",
        "after=%5B%22a%22,%22b%22,%22c%22%5D",
        *(f"after={quote(place)}" for place in HOSTILE_PLACES),
    ):
        assert "A filter does not fit its column." in page(client, f"/data/records/candles/?{wrong}", 400), wrong
    assert "No index has that order" in page(client, "/data/records/candles/?sort=close", 400)
    for key in (*HOSTILE_PLACES, "", "x", "[]", '["11"]', '["11", "1m", "2000-01-01"]', '["a", "b", "c"]'):
        page(client, f"/data/records/candles/row/?key={quote(key)}", 404)
    page(client, "/data/records/candles/rows.exe", 404)
    # A text search would read all bytes there are.
    page(client, "/data/rawsources/bodies/?column=body&operator=contains&value=a", 400)
    for path in ("data/changes", "commands", "notations", "automation/requests"):
        page(client, f"/{path}/?before={'9' * 5_000}", 404)
    page(client, f"/agenda/?after={quote(HOSTILE_PLACES[1])}", 404)
    assert client.get("/data/records/candles/rows.csv?column=close&operator=gt&value=x").status_code == 400


def test_bytes_are_told_by_size_and_hash_alone(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    text = page(client, "/data/rawsources/bodies/")
    told = "SELECT encode(sha256, 'hex'), size, octet_length(body) FROM rawsources.bodies"
    [(sha256, size, packed)] = rows(traded, told)
    assert sha256 in text
    assert f"{packed} B, SHA-256 " in text
    assert "1704153600" in BODY.decode()
    assert "1704153600" not in text
    exported = client.get("/data/rawsources/bodies/rows.csv").content.decode()
    assert str(size) in exported
    assert "1704153600" not in exported
    assert sha256 in page(client, f"/data/rawsources/bodies/?column=sha256&operator=eq&value={sha256}")


def test_from_any_row_the_bytes_are_two_clicks_away(
    traded: Connection, adbc: "AdbcConnection", client_of: ClientOf
) -> None:
    measure(traded, adbc, "paper", now=CLOCK)
    client = client_of("viewer")
    filled = "SELECT decision_id, intent_id, fill_id FROM trading.fills INNER JOIN trading.intents USING (intent_id)"
    [(decision, intent, fill)] = rows(traded, filled)
    known = {
        "signals/decisions": [decision],
        "trading/intents": [intent],
        "trading/orders": [intent],
        "trading/fills": [fill],
    }
    first = "records/candles", "rawsources/fetches", "rawsources/bodies", "trading/wallets", "results/equity"
    for path in (*known, *first):
        key = known.get(path) or keys_of(client.get(f"/data/{path}/").content.decode())[0]
        text = page(client, f"/data/{path}/row/?key={quote(json.dumps(key))}")
        if 'href="/bodies/1/"' not in text:
            trace = re.search(r'href="(/trace/\w+/)"', text)
            assert trace, path
            lineage = page(client, trace[1])
            # The decision of this market was made up, on no bars: only its fill has one.
            assert 'href="/bodies/1/"' in lineage or path in list(known)[:3], path


def test_a_question_that_takes_too_long_ends_and_says_what_to_do(
    traded: Connection, site: str, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute("CREATE VIEW marts.slow AS SELECT pg_sleep(60)::text AS nothing")
    monkeypatch.setattr(gateway, "EXPORT_SECONDS", 0.2)
    answer = client_of("analyst").get("/data/marts/slow/rows.csv")
    assert (answer.status_code, b"longer than 0 s" in answer.content) == (503, True)
    monkeypatch.setattr(gateway, "MOST_SECONDS", 0.2)
    assert "so it was ended: filter by the first column" in page(client_of("viewer"), "/data/marts/slow/", 503)


def test_a_third_file_at_once_and_one_that_trickles_are_refused(
    traded: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("viewer")
    file = "/data/records/candles/rows.csv?own_use=1"
    with gateway.export_slot(), gateway.export_slot():
        assert "Two files are being written" in page(client, file, 503)
    monkeypatch.setattr(gateway, "EXPORTED_AT_ONCE", 1)
    assert client.get(file).status_code == 200
    table = read_table("records", "candles")
    assert table is not None
    now = [0.0]  # no machine is too busy for the first row
    monkeypatch.setattr(gateway, "monotonic", lambda: now[0])
    trickle = gateway.export_rows(*page_query(table, [], None, most=10, letters=None))
    next(trickle)
    now[0] += gateway.EXPORT_SECONDS + 1
    with pytest.raises(gateway.RowsTooSlow):
        next(trickle)


def test_a_row_that_takes_too_long_ends_too(
    traded: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("analyst")
    [key, *_] = keys_of(client.get("/data/records/candles/").content.decode())
    traded.execute("ALTER TABLE records.candles ENABLE ROW LEVEL SECURITY")
    traded.execute(f"CREATE POLICY slow ON records.candles TO {DASHBOARD_ROLE} USING (pg_sleep(5)::text IS NOT NULL)")
    traded.commit()
    monkeypatch.setattr(gateway, "MOST_SECONDS", 0.2)
    for path in ("/data/records/candles/row/", "/data/changes/record-candle/"):
        assert "so it was ended" in page(client, f"{path}?key={quote(json.dumps(key))}", 503)


def test_a_view_is_described_and_paged_by_what_dbt_says_of_it(
    traded: Connection, site: str, client_of: ClientOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute("CREATE VIEW marts.shown AS SELECT open_time, listing_id FROM records.candles")
    node: dict[str, Any] = {"unique_id": "model.shown", "schema": "marts", "name": "shown", "resource_type": "model"}
    node |= {"description": "What is\n shown.", "columns": {"open_time": {"description": "Its <b>start</b>."}}}
    test: dict[str, Any] = {"attached_node": "model.shown", "resource_type": "test"}
    test["test_metadata"] = {"name": "unique_combination", "kwargs": {"columns": ["listing_id", "open_time"]}}
    (tmp_path / "dbt").mkdir()
    document = {"nodes": {"model.shown": node, "test": test}, "sources": {}}
    (tmp_path / "dbt" / "manifest.json").write_text(json.dumps(document))
    client = client_of("viewer")
    undescribed = client.get("/data/marts/shown/").content.decode()
    assert "What is shown." not in undescribed
    assert keys_of(undescribed) == []
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    settings.cache_clear()
    text = client.get("/data/marts/shown/").content.decode()
    assert "What is shown." in text
    assert "Its &lt;b&gt;start&lt;/b&gt;." in text
    times = rows(traded, "SELECT open_time FROM records.candles ORDER BY listing_id, open_time")
    assert [datetime.fromisoformat(key[1]) for key in keys_of(text)] == [time for (time,) in times]


def test_rows_are_saved_exactly_with_the_query_that_gives_them_again(
    traded: Connection, client_of: ClientOf, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("viewer")
    question = "column=side&operator=eq&value=buy&sort=-fill_id"
    [fill] = csv.DictReader(StringIO(client.get(f"/data/trading/fills/rows.csv?{question}").content.decode()))
    [(quantity, price)] = rows(traded, "SELECT quantity::text, price::text FROM trading.fills")
    assert (fill["quantity"], fill["price"]) == (quantity, price)
    answer = client.get("/data/records/candles/rows.parquet?sort=-listing_id,interval,open_time&own_use=1")
    saved = pq.read_table(BytesIO(answer.content))
    query = saved.schema.metadata[b"strades.query"].decode()
    again = [row[1:] for row in rows_of(site, query)]
    assert [tuple(row.values()) for row in saved.to_pylist()] == again
    assert len(again) > 4
    csv_file = "/data/records/candles/rows.csv?own_use=1"
    stored = len(client.get(csv_file).content.decode().splitlines()) - 1
    for most, expected in ((stored - 1, stored - 1), (stored, stored), (stored + 1, stored)):
        monkeypatch.setattr(gateway, "MOST_EXPORTED", most)
        assert len(client.get(csv_file).content.decode().splitlines()) == expected + 1


def test_rows_that_may_not_be_passed_on_are_written_for_own_use_alone_and_say_so(
    traded: Connection, client_of: ClientOf
) -> None:
    client, address = client_of("viewer"), "/data/records/candles/rows."
    for kind in ("csv", "parquet"):
        assert "Not to be passed on: " in page(client, f"{address}{kind}", 403)
        assert client.get(f"{address}{kind}?own_use=1").status_code == 200
    assert 'name="own_use"' in page(client, "/data/records/candles/")
    assert 'name="own_use"' not in page(client, "/data/trading/fills/")
    assert "FROM" in page(client, f"{address}sql")  # no rows: nothing to pass on
    beside = json.loads(client.get(f"{address}json").content)
    saved = pq.read_table(BytesIO(client.get(f"{address}parquet?own_use=1").content))
    within = json.loads(saved.schema.metadata[b"strades.sources"])
    assert (beside["rows"], beside["use"]) == (saved.num_rows, "own use only")
    assert within == {"use": beside["use"], "sources": beside["sources"]}
    assert {one["export"] for one in within["sources"]} == {"own_use"}
    assert client.get("/data/trading/fills/rows.csv").status_code == 200


def test_its_pages_ask_the_database_at_most_a_dozen_times(
    traded: Connection, add_candles: AddCandles, client_of: ClientOf
) -> None:
    store(traded, 2, b"[]", at=CLOCK)
    client = client_of("admin")
    [key, *_] = keys_of(client.get("/data/records/candles/").content.decode())
    row = f"/data/records/candles/row/?key={quote(json.dumps(key))}"
    places = ("/data/", "/data/records/candles/", row, "/data/changes/", "/data/software/", "/data/software/report/")
    for path in (*places, f"/data/changes/record-candle/?key={quote(json.dumps(key))}"):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            page(client, path)
        queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
        queries = [query for query in queries if query not in ("BEGIN", "COMMIT")]
        assert len(queries) <= MOST_QUERIES, "\n".join([path, *queries])


def test_the_report_says_what_is_installed_and_no_secret(
    traded: Connection, client_of: ClientOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("admin")
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    settings.cache_clear()
    assert "It did not run yet in this home" in page(client, "/data/software/report/")
    keep_examination([Finding("database", False, "postgresql://ada:pa55word@h/x <b>away</b>")], now=CLOCK)
    traded.execute("INSERT INTO ops.backups VALUES ('2024-01-01T03:00:00Z', 'night.backup', 1200000, true)")
    traded.commit()
    raw = client.get("/data/software/report/").content.decode()
    assert "<b>away" not in raw
    text = unescape(raw)
    [(server,)] = rows(traded, "SELECT current_setting('server_version')")
    newest = max(path.stem for path in MIGRATIONS.glob("*.sql"))
    lock = hashlib.sha256((PROJECT / "requirements.lock").read_bytes()).hexdigest()
    for told in (server, newest, lock, "night.backup", "1 Jan 2024 03:00 UTC", "bad  database", "postgresql://***@h/x"):
        assert told in text, told
    assert "pa55word" not in text
    open_to_all = page(client_of("viewer"), "/data/software/")
    assert lock in open_to_all
    assert re.search(r"ccxt</td>.*?MIT</td>", open_to_all)
