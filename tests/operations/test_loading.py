"""`strades load` and `strades reparse`: a person's files become rows once, and stored bodies are read again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.protocols import ProtocolError
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.verdicts import BodyRefused
from strades_pipelines.operations.loading import load_files
from strades_pipelines.operations.reparsing import reparse
from tests.datamanager.conftest import document
from tests.ingestion.conftest import NOW, gate_body, gate_row

Connection = psycopg.Connection[Any]
ROWS = ("rawsources.bodies", "rawsources.fetches", "records.candles", "records.parses", "records.rejects")
GIVEN = ["symbol=BTC_USDT"]
Said = list[str]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """One website of Gate.io candles with one instrument."""
    (tmp_path / "Sources.json").write_text(json.dumps(document()))
    return load_sources(tmp_path / "Sources.json")


def counts(connection: Connection) -> dict[str, int]:
    """Rows of each table that a load may touch."""
    found = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ROWS}
    connection.rollback()
    return {table: row[0] for table, row in found.items() if row}


def written(folder: Path, name: str, body: bytes) -> Path:
    """A file."""
    (folder / name).write_bytes(body)
    return folder / name


def load(url: str, sources: Sources, *files: Path, protocol: str = "gateio_candles", **more: Any) -> dict[str, Any]:
    """Load the files."""
    given = more.pop("given", GIVEN)
    return load_files(files, protocol, given, sources, now=NOW, url=url, progress=lambda line: None, **more)


def test_7_a_file_goes_in_as_bytes_and_rows_and_again_changes_nothing(
    tmp_path: Path, sources: Sources, database_url: str, connection: Connection
) -> None:
    body = gate_body(*(gate_row(minute) for minute in range(3)), ["x"] * 8)
    file = written(tmp_path, "mine.json", body)
    told = load(database_url, sources, file)
    assert told["files"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    assert told["rows"] == {"records.candles": {"inserted": 3, "revised": 0, "unchanged": 0}}
    assert (told["bodies"], told["rejects"]) == (1, 1)
    url, method, given = connection.execute("SELECT url, method, given FROM rawsources.fetches").fetchall()[0]
    assert (url, method) == ("file:mine.json", "FILE")
    assert given == {"symbol": "BTC_USDT", "venue": "gateio", "calendar": "24/7", "interval": "1m"}
    before = counts(connection)
    again = load(database_url, sources, file, written(tmp_path, "copy.json", body))
    assert [one["stored"] for one in again["files"]] == [False, False]
    assert (again["bodies"], again["rows"], counts(connection)) == (0, {}, before)


def test_a_wrong_file_leaves_nothing_of_its_neighbours_behind(
    tmp_path: Path, sources: Sources, database_url: str, connection: Connection
) -> None:
    good, bad = written(tmp_path, "good.json", gate_body(gate_row(0))), written(tmp_path, "bad.json", b"<html>")
    before = counts(connection)
    with pytest.raises(BodyRefused, match=r"^bad\.json: expected JSON") as refused:
        load(database_url, sources, good, bad)
    assert "\n" not in str(refused.value)
    with pytest.raises(BodyRefused, match=r"good\.json: .*listing"):
        load(database_url, sources, good, given=["symbol=NO_SUCH", "interval=1m"])
    with pytest.raises(ProtocolError, match="readable file"):
        load(database_url, sources, tmp_path / "none.json")
    with pytest.raises(ProtocolError, match="--source: expected a website of protocol gateio_trades"):
        load(database_url, sources, good, protocol="gateio_trades", source="gateio")
    assert counts(connection) == before


def test_reparse_says_what_became_of_every_row(
    tmp_path: Path, sources: Sources, database_url: str, connection: Connection
) -> None:
    load(database_url, sources, written(tmp_path, "mine.json", gate_body(gate_row(0), gate_row(1), gate_row(2))))
    wrong = "UPDATE records.candles SET close = 100.5 WHERE open_time = '2026-11-01T00:01Z'"
    connection.execute(wrong)  # as a parser of yesterday might have read it
    connection.execute("DELETE FROM records.candles WHERE open_time = '2026-11-01T00:02Z'")
    connection.commit()
    said: Said = []
    told = reparse(connection, "gateio_candles", (None, None), now=NOW, url=database_url, progress=said.append)
    assert told["rows"] == {"records.candles": {"inserted": 1, "revised": 1, "unchanged": 1}}
    assert said == ["parsed 1 of 1 bodies"]
    told = reparse(connection, None, (None, None), now=NOW, url=database_url, progress=said.append)
    assert told["rows"] == {"records.candles": {"inserted": 0, "revised": 0, "unchanged": 3}}
    told = reparse(connection, "yahoo_chart", (None, None), now=NOW, url=database_url, progress=said.append)
    assert (told["bodies"], told["rows"]) == (0, {})
    told = reparse(connection, None, (None, NOW), now=NOW, url=database_url, progress=said.append)
    assert told["bodies"] == 0  # a file has no window: it counts by when it came
    with pytest.raises(ProtocolError, match="expected one of"):
        reparse(connection, "no_such", (None, None), now=NOW, url=database_url, progress=said.append)


def test_a_file_whose_last_line_was_cut_is_refused_and_stores_nothing(
    tmp_path: Path, sources: Sources, database_url: str, connection: Connection
) -> None:
    file = written(tmp_path, "oil.csv", b"observation_date,DCOILWTICO\n2013-02-26,92.68\n2013-02-27,9")
    with pytest.raises(BodyRefused, match=r"oil.csv: expected a line end after the last row, was 2013-02-27,9"):
        load(database_url, sources, file, protocol="fred_csv", given=["symbol=DCOILWTICO", "lag_days=9"])
    assert set(counts(connection).values()) == {0}
