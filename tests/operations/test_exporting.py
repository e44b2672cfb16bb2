"""Records go out with where they come from, as they were at a time, and not against their licence."""

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.settings import settings
from tests.ingestion.conftest import NOW, gate_body, gate_row, store_body
from tests.research.bars import Run

LATER = NOW + timedelta(hours=1)
ECB = b"""<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube><Cube time="2024-06-26"><Cube currency="USD"
rate="1.0690"/></Cube></Cube></gesmes:Envelope>"""
GDP = [
    {"date": "2024-04-01", "realtime_start": "2024-07-25", "realtime_end": "2024-08-28", "value": "28629.153"},
    {"date": "2024-04-01", "realtime_start": "2024-08-29", "realtime_end": "9999-12-31", "value": "28652.337"},
]  # of FRED, whose newest vintage of that quarter was another one by the end of the year


@pytest.fixture
def corrected(world: str) -> datetime:
    """The first of two bars was corrected, and a third came; returns when."""
    store_body(world, gate_body(gate_row(0, close=100.5), gate_row(2)), request_key="again", fetched_at=LATER)
    load_stored(url=world, now=LATER)
    return LATER


def test_what_may_not_be_passed_on_is_refused_and_for_oneself_it_says_so(strades: Run, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    refused = strades("export", "candle", file)
    assert (refused.code, refused.out, file.exists()) == (2, "", False)
    assert "not to be passed on: gateio (Gate.io public market data" in refused.err
    done = strades("export", "candle", file, "--own-use", "--json")
    assert (done.code, done.document["rows"], done.document["use"]) == (0, 2, "own use only")
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    assert [(row["instrument"], row["close"]) for row in rows] == [("gateio:BTC_USDT", "101")] * 2
    beside = json.loads((tmp_path / "bars.csv.json").read_text())
    assert beside == done.document
    assert beside["csv_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    body = hashlib.sha256(gate_body(gate_row(0), gate_row(1))).hexdigest()
    [source] = beside["sources"]
    assert (source["source"], source["protocol"], source["answers"]) == ("gateio", "gateio_candles", 1)
    assert source["bodies_sha256"] == hashlib.sha256(body.encode()).hexdigest()


def test_what_is_free_goes_out_with_its_licence(strades: Run, world: str, tmp_path: Path) -> None:
    store_body(world, ECB, protocol="ecb_fx_daily", source="ecb", request_key="ecb", given={})
    assert load_stored(url=world, now=NOW).refused == []
    done = strades("export", "observation", tmp_path / "rates.parquet", "--json")
    assert (done.code, done.document["use"]) == (0, "may be passed on under these licences")
    written = pq.read_table(tmp_path / "rates.parquet")
    assert written.select(["series", "value"]).to_pylist() == [{"series": "ECB:USD", "value": 1.069}]
    metadata = json.loads(written.schema.metadata[b"strades.export"])
    assert metadata == done.document
    assert metadata["sources"][0]["export"] == "attribution"


def test_a_view_is_as_it_was_stored_then_and_the_difference_is_told(
    strades: Run, corrected: datetime, tmp_path: Path
) -> None:
    before = (corrected - timedelta(seconds=1)).isoformat()
    for as_of, closes in ((before, [101.0, 101.0]), (corrected.isoformat(), [100.5, 101.0, 101.0])):
        assert strades("export", "candle", tmp_path / "x.parquet", "--own-use", "--as-of", as_of).code == 0
        assert pq.read_table(tmp_path / "x.parquet")["close"].to_pylist() == closes
    changes = strades("diff", "candle", before, corrected.isoformat(), "--json").document["changes"]
    [changed, added] = changes
    assert (changed["change"], changed["fields"]) == ("changed", {"close": {"old": 101.0, "new": 100.5}})
    assert changed["key"]["open_time"] == "2026-11-01T00:00:00Z"
    assert (added["change"], added["key"]["open_time"]) == ("added", "2026-11-01T00:02:00Z")
    only = ("--instrument", "BTC_USDT", "--from", "2026-10-01", "--to", "2026-11-01")
    assert strades("diff", "candle", before, corrected.isoformat(), *only, "--json").document["changes"] == []


@pytest.mark.parametrize(
    ("known_at", "value"), [("2024-08-01T00:00:00Z", 28629.153), ("2024-09-01T00:00:00Z", 28652.337)]
)
def test_of_vintages_that_which_was_known_then_goes_out(
    strades: Run, world: str, tmp_path: Path, known_at: str, value: float
) -> None:
    body = json.dumps({"count": 2, "observations": GDP}).encode()
    given = {"symbol": "GDP", "unit": "billion USD"}
    store_body(world, body, protocol="fred_observations", source="fred", request_key="GDP", given=given)
    assert load_stored(url=world, now=NOW).refused == []
    assert strades("export", "observation", tmp_path / "x.parquet", "--own-use", "--known-at", known_at).code == 0
    assert pq.read_table(tmp_path / "x.parquet")["value"].to_pylist() == [value]


def test_a_value_that_came_with_and_without_its_vintage_goes_out_once(strades: Run, world: str, tmp_path: Path) -> None:
    body = json.dumps({"count": 2, "observations": GDP}).encode()
    given = {"symbol": "GDP", "unit": "billion USD"}
    store_body(world, body, protocol="fred_observations", source="fred", request_key="GDP", given=given)
    assert load_stored(url=world, now=NOW).refused == []
    plain = b"observation_date,GDP\n2024-04-01,28652.4\n"
    words = given | {"lag_days": "120"}
    store_body(world, plain, protocol="fred_csv", source="fred_csv", request_key="GDP", given=words, fetched_at=LATER)
    assert load_stored(url=world, now=LATER).refused == []
    assert strades("export", "observation", tmp_path / "x.parquet", "--own-use").code == 0
    assert pq.read_table(tmp_path / "x.parquet")["value"].to_pylist() == [28652.337]


def test_a_split_that_came_later_is_in_no_exported_bar(strades: Run, world: str, tmp_path: Path) -> None:
    with connect(world) as connection:
        [(listing, fetch, opened)] = connection.execute(
            "SELECT listing_id, fetch_id, min(open_time) FROM records.candles GROUP BY 1, 2"
        ).fetchall()
        connection.execute(
            "INSERT INTO records.split_adjustments VALUES (%s, %s, %s, %s, 4, 'fetch_time', %s, %s)",
            [listing, fetch, opened, opened, LATER, LATER],
        )
    assert strades("export", "candle", tmp_path / "x.parquet", "--own-use", "--known-at", NOW.isoformat()).code == 0
    assert pq.read_table(tmp_path / "x.parquet")["close"].to_pylist() == [101.0, 101.0]


def test_a_world_whose_clock_is_held_in_the_future_is_exported_whole(
    strades: Run, world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = datetime.now(UTC) + timedelta(days=400)
    store_body(world, gate_body(gate_row(2)), request_key="later", fetched_at=future)
    load_stored(url=world, now=future)
    monkeypatch.setenv("STRADES_SANDBOX_NOW", future.isoformat())
    settings.cache_clear()
    assert strades("export", "candle", tmp_path / "x.parquet", "--own-use", "--json").document["rows"] == 3
    [added] = strades("diff", "candle", LATER.isoformat(), "--json").document["changes"]
    assert added["change"] == "added"


def test_what_cannot_be_used_is_one_line(strades: Run, tmp_path: Path) -> None:
    for words in (
        ("export", "no_such", tmp_path / "x.csv"),
        ("export", "candle", tmp_path / "x.xlsx"),
        ("export", "candle", tmp_path / "x.csv", "--as-of", "2026-11-01T00:00:00"),
        ("export", "article", tmp_path / "x.csv", "--instrument", "BTC_USDT"),
        ("diff", "candle", "yesterday"),
        ("diff", "candle", datetime.now(UTC).isoformat(), NOW.isoformat()),
    ):
        answer = strades(*words)
        assert (answer.code, answer.out) == (2, ""), words
    assert list(tmp_path.glob("x.*")) == []


def test_trades_go_out_as_bars_of_a_time_or_a_number_of_them(strades: Run, world: str, tmp_path: Path) -> None:
    trades = [
        {"id": number, "create_time_ms": f"{1_793_404_800_000 + 1_000 * at}", "price": price, "amount": amount,
         "side": "buy"}
        for number, at, price, amount in ((9, 0, "5", "1"), (10, 0, "7", "2"), (11, 30, "4", "3"), (12, 61, "6", "4"))
    ]  # fmt: skip
    given = {"symbol": "BTC_USDT", "venue": "gateio"}
    body = json.dumps(trades[::-1]).encode()
    store_body(world, body, protocol="gateio_trades", request_key="trades", given=given)
    assert load_stored(url=world, now=NOW).refused == []
    expected = {
        "1m": [("5", "7", "4", "4", "6", "3"), ("6", "6", "6", "6", "4", "1")],
        "2ticks": [("5", "7", "5", "7", "3", "2"), ("4", "6", "4", "6", "7", "2")],
        "4volume": [("5", "7", "4", "4", "6", "3"), ("6", "6", "6", "6", "4", "1")],
        "18notional": [("5", "7", "5", "7", "3", "2"), ("4", "6", "4", "6", "7", "2")],
    }
    for every, bars in expected.items():
        file = tmp_path / "bars.csv"
        done = strades("export", "trade", file, "--own-use", "--every", every, "--json")
        assert (done.code, done.document["rows"], len(done.document["sources"])) == (0, 2, 1)
        rows = list(csv.DictReader(file.open(encoding="utf-8")))
        names = ("open", "high", "low", "close", "volume", "trade_count")
        assert [tuple(row[name] for name in names) for row in rows] == bars
    refused = strades("export", "candle", tmp_path / "x.csv", "--every", "2ticks")
    assert (refused.code, refused.out) == (2, "")
    assert "--every: expected the kind trade, was 'candle'" in refused.err
