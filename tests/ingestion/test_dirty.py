"""Bad bodies, each with one decided outcome: refused whole, or its bad rows rejected and its good ones kept."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from tests.ingestion.protocols import binance_candles, daily_bars, gate_v2_trades, kraken_candles

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KLINES = {"symbol": "BTCUSDT", "interval": "5m"}
RECORDED = "payloads/binance/rest_v3_recorded"
BASE = (
    f"{RECORDED}/api_v3_klines_endtime_1580515200000_interval_5m_limit_24_starttime_1577836800000_symbol_btcusdt.json"
)

# The decided outcome of a mutation of one of 24 klines: why that row goes.
ONE_ROW = {
    "string_nan": "close_unreadable",
    "null_field": "close_missing",
    "empty_string": "volume_unreadable",
    "negative_price": "price_not_positive",
    "zero_price": "price_not_positive",
    "negative_volume": "volume_negative",
    "high_lt_low": "high_below_low",
    "close_outside_range": "close_outside_range",
    "price_spike_x100": "price_spike",
    "duplicate_identical": "duplicate",
    "misaligned": "not_on_the_grid",
    "huge_int": "trade_count_unreadable",
    "huge_decimal": "volume_unreadable",
    "unicode_minus": "volume_unreadable",
    "fullwidth_digits": "close_unreadable",
    "thousands_separator": "close_unreadable",
    "underscore_number": "close_unreadable",
    "whitespace_number": "close_unreadable",
    "bool_field": "volume_unreadable",
}
REFUSED = {
    "klines_truncated.json": "expected JSON",
    "klines_truncated_at_row_boundary.json": "expected JSON",
    "klines_null.json": "expected an array of rows at the root, was null",
    "empty_body": "expected a body, was empty",
    "klines_nan.json": "bare word NaN",
    "klines_infinity.json": "bare word Infinity",
    "klines_missing_column.json": "expected rows of at least 12 values",
    "klines_seconds_not_ms.json": "expected open_time as ms, 2017-01-01 to now, was time_before_the_earliest",
    "klines_microseconds.json": "time_in_the_future in every row",
    "klines_future.json": "time_in_the_future in every row",
    "klines_utf16.json": "expected UTF-8 text",
    "klines_concatenated.json": "expected JSON, was Extra data",
    "klines_wrapped_in_object.json": "expected an array of rows at the root, was an object",
    "klines_gzip_unlabelled.json": "expected UTF-8 text",
    "klines_gzip_truncated.json.gz": "expected UTF-8 text",
    "klines_gzip_corrupt.json.gz": "expected UTF-8 text",
    "gzip_bomb_10mb.json.gz": "expected UTF-8 text",
    "error_binance_418_status200.json": "provider's error.*Way too much request weight",
    "html_error_page_status200.json": "expected JSON",
    "json_deep_nesting.json": "nested",
}


@pytest.fixture
def dirty(shared_data: Path) -> Path:
    """The mutated bodies."""
    return shared_data / "dirty/derived"


@pytest.fixture
def clean(shared_data: Path) -> Parsed:
    """The klines that were mutated."""
    return klines(shared_data / BASE)


def klines(path: Path) -> Parsed:
    """A body of Binance klines, parsed by a protocol that is only data."""
    return parse(binance_candles(), path.read_bytes(), given=KLINES, fetched_at=NOW)


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    """The candles."""
    return list(parsed.tables["candle"].to_pylist())


@pytest.mark.parametrize("name", ONE_ROW)
def test_bad_row_is_rejected_and_its_neighbours_are_kept(
    shared_data: Path, dirty: Path, clean: Parsed, name: str
) -> None:
    path = dirty / f"klines_{name}.json"
    mutated, base = json.loads(path.read_bytes()), json.loads((shared_data / BASE).read_bytes())
    where = next(n for n, row in enumerate(mutated) if row != base[n])
    parsed = klines(path)
    assert [(item.reason, item.where) for item in parsed.rejects] == [(ONE_ROW[name], f"/{where}")]
    lost = [] if name == "duplicate_identical" else [where]
    assert rows(parsed) == [row for n, row in enumerate(rows(clean)) if n not in lost]


@pytest.mark.parametrize("name", REFUSED)
def test_body_that_is_not_what_the_protocol_says_is_refused(dirty: Path, name: str) -> None:
    with pytest.raises(BodyRefused, match=REFUSED[name]) as refusal:
        klines(dirty / name)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) <= 300


@pytest.mark.parametrize("name", ["out_of_order", "reversed", "extra_column", "bom"])
def test_harmless_difference_gives_the_same_records(dirty: Path, clean: Parsed, name: str) -> None:
    parsed = klines(dirty / f"klines_{name}.json")
    assert (rows(parsed), parsed.rejects) == (rows(clean), ())


def test_scientific_notation_is_a_number(dirty: Path) -> None:
    assert rows(klines(dirty / "klines_scientific.json"))[3]["volume"] == 32.19293


def test_conflicting_rows_of_one_time_are_both_rejected(dirty: Path, clean: Parsed) -> None:
    parsed = klines(dirty / "klines_duplicate_conflicting.json")
    assert {item.reason for item in parsed.rejects} == {"conflicting_duplicate"}
    assert len(parsed.rejects) == 2
    assert len(rows(parsed)) == len(rows(clean)) - 1


def test_many_decimals_are_rounded_to_the_nearest_double(dirty: Path) -> None:
    path = dirty / "klines_many_decimals.json"
    text = json.loads(path.read_bytes())[3][4]
    assert len(text.split(".")[1]) == 26
    assert rows(klines(path))[3]["close"] == float(text)


def test_idle_bar_is_kept(dirty: Path, clean: Parsed) -> None:
    parsed = klines(dirty / "klines_zero_volume.json")
    assert (len(rows(parsed)), parsed.rejects) == (len(rows(clean)), ())
    assert 0.0 in [row["volume"] for row in rows(parsed)]


def test_gap_is_left_open(dirty: Path, clean: Parsed) -> None:
    parsed = klines(dirty / "klines_gap.json")
    assert parsed.rejects == ()
    missing = [n for n, row in enumerate(rows(clean)) if row not in rows(parsed)]
    assert missing == [8, 9, 10]


def test_empty_array_is_no_error_and_no_rows(dirty: Path) -> None:
    parsed = klines(dirty / "klines_empty.json")
    assert (rows(parsed), parsed.rejects) == ([], ())


def test_gate_error_is_refused_with_what_the_provider_said(dirty: Path) -> None:
    body = (dirty / "error_gate_label.json").read_bytes()
    for name in ("gateio_candles", "gateio_trades"):
        with pytest.raises(BodyRefused, match=r"INVALID_CURRENCY_PAIR.*BTC_USDTT"):
            parse(load_protocol(name), body, given=KLINES, fetched_at=NOW)


@pytest.mark.parametrize(
    ("name", "match"), [("error_kraken_in_200", "Too many requests"), ("json_duplicate_keys", "result.*repeated")]
)
def test_kraken_body_with_error_or_repeated_key_is_refused(dirty: Path, name: str, match: str) -> None:
    with pytest.raises(BodyRefused, match=match):
        parse(kraken_candles(), (dirty / f"{name}.json").read_bytes(), given=KLINES, fetched_at=NOW)


def test_yahoo_null_close_rejects_that_bar_alone(dirty: Path, shared_data: Path) -> None:
    parsed = parse(
        load_protocol("yahoo_chart"), (dirty / "yahoo_null_close.json").read_bytes(), given={}, fetched_at=NOW
    )
    assert [item.reason for item in parsed.rejects] == ["close_missing"]
    assert parsed.rejects[0].where.startswith("/chart/result/0/timestamp/")
    assert parsed.tables["candle"].num_rows == 48


@pytest.mark.parametrize(
    ("file", "match"),
    [
        ("derived/yahoo_length_mismatch.json", "columns of one length"),
        ("derived/yahoo_not_found.json", "No data found, symbol may be delisted"),
        ("wild/yahoo_consent_page_instead_of_json.html", "expected JSON"),
        ("wild/yahoo_chart-notimestamp-quotes-length.fake.json", "columns of one length"),
        ("wild/yahoo_chart-notimestamp-weird-quote.fake.json", "columns of one length"),
    ],
)
def test_yahoo_body_whose_columns_do_not_fit_is_refused(shared_data: Path, file: str, match: str) -> None:
    with pytest.raises(BodyRefused, match=match):
        parse(load_protocol("yahoo_chart"), (shared_data / "dirty" / file).read_bytes(), given={}, fetched_at=NOW)


def test_yahoo_body_of_a_closed_day_has_no_bars(shared_data: Path) -> None:
    path = shared_data / "dirty/wild/yahoo_chart-TSLA-2025-01-01-to-2025-01-02-interval-1h.fake.json"
    parsed = parse(load_protocol("yahoo_chart"), path.read_bytes(), given={}, fetched_at=NOW)
    assert [table.num_rows for table in parsed.tables.values()] == [0, 0]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("ecb_missing_time", "expected rows"),
        ("ecb_wrong_namespace", "expected rows"),
        ("ecb_truncated", "expected XML"),
        ("ecb_entity_bomb", "document type"),
        ("xml_external_entity", "document type"),
    ],
)
def test_ecb_body_without_rates_or_with_entities_is_refused(dirty: Path, name: str, match: str) -> None:
    with pytest.raises(BodyRefused, match=match):
        parse(load_protocol("ecb_fx_daily"), (dirty / f"{name}.xml").read_bytes(), given={}, fetched_at=NOW)


def test_ecb_rate_that_is_not_available_is_no_record(dirty: Path) -> None:
    parsed = parse(load_protocol("ecb_fx_daily"), (dirty / "ecb_na_rate.xml").read_bytes(), given={}, fetched_at=NOW)
    series = parsed.tables["observation"]["series"].to_pylist()
    assert (len(series), "ECB:ISK" in series, parsed.rejects) == (29, False, ())


@pytest.mark.parametrize(
    "protocol", ["gateio_candles", "gateio_trades", "yahoo_chart", "ecb_fx_daily", "ecb_fx_history"]
)
def test_html_error_page_is_refused_by_every_protocol(dirty: Path, protocol: str) -> None:
    with pytest.raises(BodyRefused):
        parse(
            load_protocol(protocol),
            (dirty / "html_error_page_status200.json").read_bytes(),
            given=KLINES,
            fetched_at=NOW,
        )


@pytest.mark.parametrize(
    ("name", "rejects"),
    [
        ("duplicate_ids", {"duplicate": 2, "size_not_positive": 2}),
        ("same_id_different_price", {"conflicting_duplicate": 2, "size_not_positive": 1}),
        ("zero_amount", {"size_not_positive": 2}),
        ("odd_side", {"side_unreadable": 1, "size_not_positive": 1}),
    ],
)
def test_bad_trades_are_rejected_and_the_others_kept(dirty: Path, name: str, rejects: dict[str, int]) -> None:
    """The recorded body has a trade of amount zero of its own, which `duplicate_ids` repeats."""
    body = (dirty / f"trades_{name}.json").read_bytes()
    parsed = parse(gate_v2_trades(), body, given={"symbol": "BCH_USDT"}, fetched_at=NOW)
    assert Counter(item.reason for item in parsed.rejects) == rejects
    assert parsed.tables["trade"].num_rows + len(parsed.rejects) == len(json.loads(body)["data"])


CSV = {"symbol": "SPY", "interval": "1d"}


@pytest.mark.parametrize(
    ("name", "kept", "rejects"),
    [
        ("bom", 40, []),
        ("ragged", 38, ["wrong_number_of_columns"] * 2),
        ("local_time_offset", 40, []),
        ("weekend_row", 40, ["not_on_the_grid"]),
        ("split_unadjusted_jump", 40, []),  # true prices: the jump is found where corporate actions are checked
        ("nul_bytes", 2, ["time_unreadable"]),
    ],
)
def test_csv_rows_that_do_not_fit_are_rejected(dirty: Path, name: str, kept: int, rejects: list[str]) -> None:
    parsed = parse(daily_bars(), (dirty / f"bars_{name}.csv").read_bytes(), given=CSV, fetched_at=NOW)
    assert (parsed.tables["candle"].num_rows, [item.reason for item in parsed.rejects]) == (kept, rejects)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("crlf_semicolon_decimal_comma", "expected the columns"),
        ("no_header", "expected the columns"),
        ("naive_time", "time_unreadable in every row"),
        ("us_dates", "time_unreadable in every row"),
        ("dst_fold", "time_unreadable in every row"),
    ],
)
def test_csv_in_another_dialect_is_refused(dirty: Path, name: str, match: str) -> None:
    with pytest.raises(BodyRefused, match=match):
        parse(daily_bars(), (dirty / f"bars_{name}.csv").read_bytes(), given=CSV, fetched_at=NOW)


def test_every_applicable_mutation_has_an_outcome_here(dirty: Path) -> None:
    text = Path(__file__).read_text()
    names = [item["file"].split("/")[-1] for item in json.loads((dirty / "manifest.json").read_bytes())]
    mine = [name for name in names if not name.startswith(("fred", "rss"))]
    stems = [name.split(".")[0].removeprefix("klines_").removeprefix("bars_").removeprefix("trades_") for name in mine]
    assert [stem for stem in stems if stem not in text] == []
