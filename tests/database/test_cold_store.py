"""Whatever span is asked for, and whatever was loaded since, a cold month says what it said; its file is never lost."""

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database import asof
from strades_pipelines.database.bulk import load
from strades_pipelines.database.cold_store import ColdStoreError, ContentHash, upload, verify_month, write_parquet
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.crash import observe_crash_points
from strades_pipelines.ingestion.archiving import archive_month, restore_month
from strades_pipelines.ingestion.record_tables import TARGETS
from strades_pipelines.lineage.heard_rows import follow_trades
from strades_pipelines.lineage.row_lineage import Lineage
from strades_pipelines.settings import settings
from tests.ingestion.conftest import NOW
from tests.ingestion.test_archiving import (
    BTC,
    COLUMNS,
    FIRST,
    JANUARY,
    LAST,
    TRADES_TABLE,
    archive,
    hot,
    market,
    read,
)

__all__ = ["market"]
Connection = psycopg.Connection[Any]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def load_again(connection: Connection, url: str, prices: Mapping[str, float | None], at: datetime) -> None:
    """Load trades again as a source's later answer does; a price of None is the one that they had."""
    found = connection.execute("SELECT * FROM kept WHERE trade_id = ANY(%s)", [list(prices)])
    names = [column.name for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    connection.rollback()
    for row in rows:
        price = prices[row["trade_id"]]
        row |= {"fetch_id": 2, "price": row["price"] if price is None else price}
    target = TARGETS["trade"]
    with adbc_connect(url) as adbc, adbc.cursor() as cursor:
        cursor.execute("SELECT * FROM records.trades LIMIT 0")
        table = pa.Table.from_pylist(rows, schema=cursor.fetch_arrow_table().schema).drop_columns(["recorded_at"])
        load(
            cursor,
            target.table,
            table,
            key=target.key,
            now=at,
            revisions=target.revisions,
            ignore=target.ignore,
            single_writer=True,
        )
        adbc.commit()


def keep(connection: Connection) -> None:
    """Remember some trades as they were."""
    connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM records.trades WHERE trade_id IN ('é80', 'é81', 'é82')")
    connection.commit()


def follow(url: str, heard_from: datetime, heard_to: datetime) -> Lineage:
    """The trades behind a decision on a window."""
    window = {"heard_from": heard_from.isoformat(), "heard_to": heard_to.isoformat()}
    inputs = {"trades": {"listing_ids": [BTC], **window}}
    decision = {"decision_id": "d", "wallet": "none", "trigger_kind": "trade", "inputs": inputs}
    lineage = Lineage("d", decision=decision)
    with connect(url) as reader:
        follow_trades(reader, lineage)
    return lineage


@pytest.mark.parametrize("border", [NEW_YEAR, datetime(2026, 2, 1, tzinfo=UTC)])
@pytest.mark.parametrize("hours", [0, 1, 12])
def test_spans_that_end_or_begin_at_a_month_s_border_read_what_they_read(
    market: Connection, database_url: str, border: datetime, hours: int
) -> None:
    at = border + hours * HOUR

    def reads() -> list[Any]:
        with adbc_connect(database_url) as adbc, adbc.cursor() as cursor:
            known = asof.read_as_of(cursor, "records.trades", COLUMNS, known_at=at).num_rows
        return [
            known,
            read(database_url, where=f"event_time >= '{FIRST}' AND event_time < '{at}'", span=(FIRST, at)),
            read(database_url, where=f"event_time >= '{at}' AND event_time < '{LAST}'", span=(at, LAST)),
            follow(database_url, at - HOUR, at + HOUR),
        ]

    before = reads()
    archive(database_url)
    assert reads() == before


@pytest.mark.parametrize("restored", [False, True])
def test_a_trade_that_is_loaded_again_and_revised_is_one_trade_at_any_time(
    market: Connection, database_url: str, restored: bool
) -> None:
    keep(market)
    times = [NOW - timedelta(days=days) for days in (4, 3, 2)]
    archive(database_url)
    load_again(market, database_url, {"é80": None, "é81": 7.0, "é82": 7.0}, times[0])
    load_again(market, database_url, {"é80": 8.0, "é81": 9.0, "é82": None}, times[1])
    if restored:
        restore_month(TRADES_TABLE, JANUARY, url=database_url)

    def prices(at: datetime | None) -> list[tuple[str, float]]:
        where = f"trade_id IN ('é80', 'é81', 'é82') AND listing_id = {BTC}"
        return [(row["trade_id"], row["price"]) for row in read(database_url, where=where, at=at)]

    first = [("é80", 103.0), ("é81", 104.0), ("é82", 105.0)]
    assert prices(times[0] - HOUR) == first
    assert prices(times[0] + HOUR) == [("é80", 103.0), ("é81", 7.0), ("é82", 7.0)]
    last = [("é80", 8.0), ("é81", 9.0), ("é82", 105.0)]
    assert (prices(times[1] + HOUR), prices(None)) == (last, last)


def test_a_trade_that_was_left_out_after_it_was_loaded_again_does_not_come_back(
    market: Connection, database_url: str
) -> None:
    keep(market)
    archive(database_url)
    load_again(market, database_url, {"é80": 7.0}, NOW - timedelta(days=2))
    market.execute("INSERT INTO records.trade_revisions SELECT *, %s FROM records.trades WHERE trade_id = 'é80'", [NOW])
    market.execute("DELETE FROM records.trades WHERE trade_id = 'é80'")
    market.commit()
    assert read(database_url, where="trade_id = 'é80'") == []
    restore_month(TRADES_TABLE, JANUARY, url=database_url)
    assert read(database_url, where="trade_id = 'é80'") == []


def test_a_cold_trade_that_its_venue_corrects_is_heard_when_it_was(market: Connection, database_url: str) -> None:
    keep(market)
    where = f"trade_id = 'é81' AND listing_id = {BTC}"
    [before] = read(database_url, table="records.heard_trades", where=where)
    archive(database_url)
    load_again(market, database_url, {"é81": 7.0}, NOW - timedelta(days=2))
    corrected = {**before, "price": 7.0}
    at = before["event_time"]
    for _ in range(2):
        assert read(database_url, table="records.heard_trades", where=where) == [corrected]
        assert [row["price"] for row in follow(database_url, at - timedelta(seconds=1), at + HOUR / 60).trades] == [7.0]
        if hot(market)[0] < 10:
            restore_month(TRADES_TABLE, JANUARY, url=database_url)


def test_a_month_goes_only_once_nobody_reads_and_whoever_asked_before_has_all(
    market: Connection, database_url: str
) -> None:
    every = len(read(database_url))
    with adbc_connect(database_url) as adbc, adbc.cursor() as reader:
        reader.execute("SELECT count(*) FROM records.cold_months")
        assert reader.fetchall() == [(0,)]
        with pytest.raises(RuntimeError, match="somebody has been reading or writing trades for too long"):
            archive(database_url)
        reader.execute("SELECT count(*) FROM records.trades")
        assert reader.fetchall() == [(every,)]
    assert archive(database_url).row_count == 2 * 31 * 72
    assert len(read(database_url)) == every


def test_one_process_moves_a_month_at_a_time(market: Connection, database_url: str) -> None:
    refused: list[str] = []

    def again(point: str) -> None:
        if point in ("archive.written", "archive.verified"):
            for move in (lambda: archive(database_url), lambda: restore_month(TRADES_TABLE, JANUARY, url=database_url)):
                with pytest.raises(BadInput, match="no other process archives or restores") as error:
                    move()
                refused.append(str(error.value))

    before = read(database_url)
    with observe_crash_points(again):
        archive(database_url)
    assert (len(refused), read(database_url)) == (4, before)


def test_a_store_that_is_away_is_a_fault_of_a_trace(
    market: Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(database_url)
    (tmp_path / "store").rename(tmp_path / "moved")
    lineage = follow(database_url, NEW_YEAR, NEW_YEAR + HOUR)
    assert (lineage.trades, len(lineage.faults)) == ([], 1)
    assert lineage.faults[0].startswith("decision d: its trades are in a cold month: records.trades/2026-01/")
    monkeypatch.delenv("STRADES_COLD_STORE")
    settings.cache_clear()
    [fault] = follow(database_url, NEW_YEAR, NEW_YEAR + HOUR).faults
    assert "expected STRADES_COLD_STORE" in fault


class FullDisk(io.BytesIO):
    """Bytes whose copy ends after the first block."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The first block, then an error."""
        if self.tell():
            raise OSError(28, "No space left on device")
        return super().read(size)


def test_a_file_of_the_store_has_its_name_once_it_is_whole_and_is_never_written_over(
    market: Connection, tmp_path: Path
) -> None:
    table = pa.table({"listing_id": pa.array(range(400_000))})
    file = io.BytesIO()
    written = write_parquet(table.to_batches(), table.schema, file)
    target = tmp_path / "store" / "records.trades" / "2026-01" / "a.parquet"
    with pytest.raises(OSError, match="No space"):
        upload(FullDisk(file.getvalue()), "records.trades/2026-01/a.parquet", written.sha256)
    assert list(target.parent.iterdir()) == []
    upload(file, "records.trades/2026-01/a.parquet", written.sha256)
    first = target.stat()
    upload(FullDisk(file.getvalue()), "records.trades/2026-01/a.parquet", written.sha256)
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    verify_month(written, "records.trades/2026-01/a.parquet")
    target.write_bytes(b"damaged")
    with pytest.raises(ColdStoreError):
        verify_month(written, "records.trades/2026-01/a.parquet")
    upload(file, "records.trades/2026-01/a.parquet", written.sha256)
    verify_month(written, "records.trades/2026-01/a.parquet")


def test_the_hash_of_rows_says_where_a_value_is_missing_and_not_how_they_came() -> None:
    def hashed(*batches: list[Any], column: Any = None) -> str:
        content = ContentHash()
        for values in batches:
            content.add(pa.record_batch({"frame": pa.array(values, column or pa.binary())}))
        return content.hexdigest()

    whole = hashed([b"a", None, b"bc"])
    assert hashed([b"a"], [None, b"bc"]) == whole
    others = ([None, b"a", b"bc"], [b"a", b"", b"bc"], [b"ab", None, b"c"], [b"a", b"bc"], [b"a", None, b"bd"])
    assert len({whole, *(hashed(values) for values in others)}) == 6
    # Of rows without nulls it is what it was before there were any: months that are cold already hold.
    digest = hashlib.sha256(b"frame 2 " + np.array([1, 2], np.int64).tobytes() + b"abc").hexdigest()
    assert hashed(["a", "bc"], column=pa.string()) == digest


def test_the_last_month_of_the_calendar_is_refused(market: Connection, database_url: str) -> None:
    with pytest.raises(BadInput, match="expected one that is over"):
        archive_month(TRADES_TABLE, JANUARY.replace(year=9999, month=12), url=database_url, now=NOW, progress=print)
