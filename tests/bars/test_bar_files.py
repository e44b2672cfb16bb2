"""Bars from files: what is read, when a bar is final, how it is adjusted, and what is refused."""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_files import Reading, data_hash, name_of
from strades_pipelines.bars.factors import read_factors
from strades_pipelines.datamanager.calendars import sessions
from strades_pipelines.strategy.events import microseconds, moment

HEADER = "ts_utc,open,high,low,close,volume"
GOOD = [f"2020-01-{day:02d}T00:00:00Z,10,12,9,11,100" for day in range(1, 8)]


def written(folder: Path, *rows: str, header: str = HEADER, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def with_row(row: str) -> list[str]:
    """Good rows, the fourth of them replaced: it is row 5 of the file."""
    return [*GOOD[:3], row, *GOOD[4:]]


def at(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def test_columns_are_read_whatever_their_order_and_others_are_left(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "1.5,2020-01-01T00:00:00Z,x,1,2,0.5,7",
        "1.25,2020-01-02T00:00:00+00:00,y,1,2.5,1,",
        header="close,ts_utc,note,open,high,low,volume",
    )
    bars = Reading().bars(path)
    assert bars.name == "bars"
    assert bars.open_time.tolist() == [at("2020-01-01T00:00Z"), at("2020-01-02T00:00Z")]
    assert bars.time.tolist() == [at("2020-01-02T00:00Z"), at("2020-01-03T00:00Z")]
    assert bars.prices.tolist() == [[1, 1], [2, 2.5], [0.5, 1], [1.5, 1.25], [7, 0]]


def test_csv_and_gzip_and_parquet_hold_the_same_bars(tmp_path: Path) -> None:
    plain = written(tmp_path, *GOOD)
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    numbers = {name: [10.0, 12.0, 9.0, 11.0, 100.0][k] for k, name in enumerate(HEADER.split(",")[1:])}
    days = [datetime(2020, 1, day, tzinfo=UTC) for day in range(1, 8)]
    columns = {"ts_utc": pa.array(days, pa.timestamp("ns", "UTC"))}
    table = pa.table(columns | {name: pa.array([value] * 7) for name, value in numbers.items()})
    parquet.write_table(table, tmp_path / "bars.parquet")
    hashes = {data_hash([Reading().bars(path)]) for path in (plain, packed, tmp_path / "bars.parquet")}
    assert len(hashes) == 1
    other = written(tmp_path, *with_row("2020-01-04T00:00:00Z,10,12,9,11.5,100"), name="other.csv")
    assert data_hash([Reading().bars(other)]) not in hashes


@pytest.mark.parametrize(
    ("file", "name"), [("a/aapl_1d.csv.gz", "aapl_1d"), ("BTC.USD.parquet", "BTC.USD"), ("x.csv", "x")]
)
def test_an_instrument_is_named_after_its_file(file: str, name: str) -> None:
    assert name_of(Path(file)) == name


def test_a_bar_ends_after_the_usual_spacing_or_when_the_next_one_starts(tmp_path: Path) -> None:
    minutes = ["00:00:00", "00:01:00", "00:02:00", "00:02:30", "00:10:00"]
    path = written(tmp_path, *(f"2020-01-01T{minute}Z,1,1,1,1,1" for minute in minutes))
    ends = [moment(time).strftime("%M:%S") for time in Reading().bars(path).time]
    assert ends == ["01:00", "02:00", "02:30", "03:30", "11:00"]
    longer = [moment(time).strftime("%M:%S") for time in Reading(interval=120_000_000).bars(path).time]
    assert longer == ["01:00", "02:00", "02:30", "04:30", "12:00"]


def test_a_daily_bar_of_a_calendar_lasts_as_long_as_its_session(tmp_path: Path) -> None:
    """New York in July 2012: 9:30 to 16:00 is 13:30Z to 20:00Z; the 3rd ended at 13:00, the 4th was a holiday."""
    days = ["02", "03", "05", "06"]
    path = written(tmp_path, *(f"2012-07-{day}T00:00:00Z,1,1,1,1,1" for day in days))
    bars = Reading(lambda first, last: sessions("XNYS", first, last)).bars(path)
    assert [moment(time).strftime("%d %H:%M") for time in bars.open_time] == [f"{day} 13:30" for day in days]
    assert [moment(time).strftime("%d %H:%M") for time in bars.time] == ["02 20:00", "03 17:00", "05 20:00", "06 20:00"]
    path = written(tmp_path, *(f"2012-07-{day}T00:00:00Z,1,1,1,1,1" for day in ("02", "03", "04")))
    with pytest.raises(BadInput, match=r"bars\.csv: row 4: ts_utc: expected the date of a session.*2012-07-04"):
        Reading(lambda first, last: sessions("XNYS", first, last)).bars(path)


def test_an_hour_cut_short_by_the_close_ends_with_it(tmp_path: Path) -> None:
    opens = ["13:30", "14:30", "15:30", "16:30", "17:30", "18:30", "19:30"]
    path = written(tmp_path, *(f"2012-07-02T{time}:00Z,1,1,1,1,1" for time in opens))
    bars = Reading(lambda first, last: sessions("XNYS", first, last)).bars(path)
    assert moment(bars.time[-1]) == datetime(2012, 7, 2, 20, tzinfo=UTC)
    assert moment(Reading().bars(path).time[-1]) == datetime(2012, 7, 2, 20, 30, tzinfo=UTC)


def test_a_range_holds_its_start_and_not_its_end(tmp_path: Path) -> None:
    path = written(tmp_path, *GOOD)
    bars = Reading(start=at("2020-01-02T00:00Z"), end=at("2020-01-04T00:00Z")).bars(path)
    assert [moment(time).day for time in bars.open_time] == [2, 3]
    with pytest.raises(BadInput, match="expected bars in the range, found bars from 2020-01-01"):
        Reading(start=at("2021-01-01T00:00Z")).bars(path)


def test_factors_hold_up_to_their_date(tmp_path: Path) -> None:
    factors = tmp_path / "factor.csv"
    factors.write_text("20200102,0.5,0.25,80\n20200104,0.8,1,100\n20501231,1,1,0")
    bars = Reading().bars(written(tmp_path, *GOOD), factors=factors)
    expected = [0.125, 0.125, 0.8, 0.8, 1, 1, 1]
    assert bars.prices[3].tolist() == [11 * factor for factor in expected]
    assert bars.prices[4].tolist() == [400, 400, 100, 100, 100, 100, 100]


def test_real_bars_adjusted_row_by_row_are_the_same(shared_data: Path) -> None:
    """Apple has splits of 2, 7 and 4 for one; the factors are looked up anew for each row, in exact numbers."""
    folder = shared_data / "ohlcv/equity"
    rules = [row.split(",") for row in (folder / "corporate_actions/aapl_factor.csv").read_text().split()]
    with gzip.open(folder / "aapl_1d.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    expected = []
    for row in rows:
        day = row["ts_utc"][:10].replace("-", "")
        price, split = next((Decimal(p), Decimal(s)) for date, p, s, _ in rules if date >= day)
        expected.append([float(Decimal(row["close"]) * price * split), float(Decimal(row["volume"]) / split)])
    found = Reading().bars(folder / "aapl_1d.csv.gz", factors=folder / "corporate_actions/aapl_factor.csv")
    np.testing.assert_allclose(found.prices[3:].T, expected, rtol=1e-14)
    assert expected[0][0] < 0.2 < 100 < expected[-1][0]


def test_every_real_file_is_read_as_csv_says(shared_data: Path) -> None:
    files = sorted((shared_data / "ohlcv").glob("*/*.csv.gz"))
    assert len(files) > 20
    for path in files:
        bars = Reading().bars(path)
        with gzip.open(path, "rt") as file:
            rows = list(csv.DictReader(file))
        assert bars.prices[3].tolist() == [float(row["close"]) for row in rows]
        assert bars.prices[4].tolist() == [float(row["volume"] or 0) for row in rows]
        assert [moment(bars.open_time[k]) for k in (0, -1)] == [
            datetime.fromisoformat(rows[k]["ts_utc"]) for k in (0, -1)
        ]
        assert np.all(bars.time > bars.open_time)
        assert np.all(bars.time[:-1] <= bars.open_time[1:])


BAD_ROWS = {
    "text": ("2020-01-04T00:00:00Z,10,12,abc,11,100", "row 5: low: expected a number, found 'abc'"),
    "no price": ("2020-01-04T00:00:00Z,10,,9,11,100", "row 5: high: expected a number, found nothing"),
    "no time": (",10,12,9,11,100", "row 5: ts_utc: expected a time in UTC.*found nothing"),
    "no such day": ("2020-01-34T00:00:00Z,10,12,9,11,100", "row 5: ts_utc: expected a time in UTC.*2020-01-34"),
    "naive": ("2020-01-04T00:00:00,10,12,9,11,100", "row 5: ts_utc: expected a time in UTC.*2020-01-04T00:00:00'"),
    "other zone": ("2020-01-04T00:00:00+02:00,10,12,9,11,100", "row 5: ts_utc: expected a time in UTC.*02:00"),
    "nan": ("2020-01-04T00:00:00Z,10,nan,9,11,100", "row 5: high: expected a price above 0, found nan"),
    "infinite": ("2020-01-04T00:00:00Z,10,inf,9,11,100", "row 5: high: expected a price above 0, found inf"),
    "negative": ("2020-01-04T00:00:00Z,10,12,-9,11,100", "row 5: low: expected a price above 0, found -9"),
    "negative volume": (
        "2020-01-04T00:00:00Z,10,12,9,11,-1",
        "row 5: volume: expected a volume of 0 or more, found -1",
    ),
    "unsorted": ("2020-01-02T00:00:00Z,10,12,9,11,100", "row 5: ts_utc: .* after .*2020-01-02.* after 2020-01-03"),
    "duplicate": ("2020-01-03T00:00:00Z,10,12,9,11,100", "row 5: ts_utc: .*2020-01-03T00:00:00Z twice"),
    "high below low": ("2020-01-04T00:00:00Z,9,8,9,9,100", "row 5: high: .*high 8.0 and low 9.0"),
    "close outside": ("2020-01-04T00:00:00Z,10,12,9,13,100", "row 5: close: .*13.0 outside of 9.0 to 12.0"),
    "open outside": ("2020-01-04T00:00:00Z,8,12,9,11,100", "row 5: open: .*8.0 outside of 9.0 to 12.0"),
    "cells missing": ("2020-01-04T00:00:00Z,10,12,9", "row 5: ts_utc: expected 6 cells, found 4 cells"),
}


@pytest.mark.parametrize(("row", "told"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_refused_by_row_and_field(row: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"^{tmp_path}/bars\.csv: {told}") as refused:
        Reading().bars(written(tmp_path, *with_row(row)))
    assert "\n" not in str(refused.value)


def test_the_first_of_several_bad_rows_is_told(tmp_path: Path) -> None:
    rows = with_row("2020-01-04T00:00:00Z,10,12,9,x,100")
    rows[5] = "2020-01-06T00:00:00Z,y,12,9,11,100"
    with pytest.raises(BadInput, match="row 5: close"):
        Reading().bars(written(tmp_path, *rows))


def test_a_bad_row_far_down_a_large_file_is_found(tmp_path: Path) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [f"{(start + timedelta(minutes=k)).isoformat()},1,1,1,1,1" for k in range(200_000)]
    rows[150_000] = rows[150_000].replace(",1,1,1,1,1", ",1,1,1,1e,1")
    with pytest.raises(BadInput, match="row 150002: close: expected a number, found '1e'"):
        Reading().bars(written(tmp_path, *rows))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "found an empty file"),
        (HEADER.encode() + b"\n", "expected bars below the header, found none"),
        (b"ts_utc,open,high,low,close\n2020-01-01T00:00:00Z,1,1,1,1\n", "row 1: volume: expected one column"),
        (b"ts_utc,open,open,high,low,close,volume\n", "row 1: open: expected one column"),
        (f"{HEADER}\n{GOOD[0]}\n".encode(), "expected two bars or more, or --interval"),
        (b"\xff\xfe\x00\x01", "expected a readable file of bars"),
    ],
)
def test_a_file_that_holds_no_bars_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=told):
        Reading().bars(path)


@pytest.mark.parametrize("name", ["gone.csv", "gone.csv.gz", "gone.parquet"])
def test_a_file_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"{name}: expected a readable file of bars, found No such file"):
        Reading().bars(tmp_path / name)


@pytest.mark.parametrize("name", ["bad.csv.gz", "bad.parquet"])
def test_a_file_in_another_format_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"neither of them")
    with pytest.raises(BadInput, match=rf"{name}: expected a"):
        Reading().bars(tmp_path / name)


@pytest.mark.parametrize(
    ("zone", "told"), [(None, "found a column of times in no time zone"), ("Europe/Paris", "times in Europe/Paris")]
)
def test_a_parquet_file_must_say_utc(zone: str | None, told: str, tmp_path: Path) -> None:
    times = pa.array([1_577_836_800_000_000], pa.timestamp("us", zone))
    table = pa.table({"ts_utc": times} | {name: [1.0] for name in HEADER.split(",")[1:]})
    parquet.write_table(table, tmp_path / "bars.parquet")
    with pytest.raises(BadInput, match=told):
        Reading().bars(tmp_path / "bars.parquet")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "found an empty file"),
        ("20200101,1,1,0\n2020-01-02,1,1,0", "row 2: date: expected a date such as 20140609, found '2020-01-02'"),
        ("20200102,1,1,0\n20200101,1,1,0", "row 2: date: expected a date after"),
        ("20200101,0,1,0", "row 1: price factor: expected a number above 0, found '0'"),
        ("20200101,1,nan,0", "row 1: split factor: expected a number above 0, found 'nan'"),
        ("20200101,1", "row 1: date: expected date, price factor"),
    ],
)
def test_a_factor_file_that_cannot_be_read_is_refused(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "factor.csv"
    path.write_text(content)
    with pytest.raises(BadInput, match=told):
        read_factors(path)
