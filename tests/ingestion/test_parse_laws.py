"""Laws that hold whatever a body says."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from tests.ingestion.conftest import GATE, gate_row

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FIRST = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "NaN", "inf", "-1", "0", "1e400", "1_0", " 1", "1٣", "true", "101.0"]),
    st.lists(st.integers(), max_size=2),
)


def attempt(protocol: str, body: bytes, known: Mapping[str, str] = GATE) -> Parsed | None:
    """The parse of a body; None when it is refused, in one printable line."""
    refusal = ""
    try:
        return parse(load_protocol(protocol), body, given=known, fetched_at=NOW)
    except BodyRefused as error:
        refusal = str(error)
    assert refusal.isprintable()
    return None


def gate(body: bytes) -> Parsed | None:
    """A body of Gate.io candles."""
    return attempt("gateio_candles", body)


def check_laws(parsed: Parsed) -> None:
    """What every accepted bar is, and that they are in order and each time is there once."""
    table = parsed.tables["candle"]
    for row in table.to_pylist():
        assert 0 < row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"] < 2**53
        assert row["volume"] is None or 0 <= row["volume"] < 2**53
        assert row["open_time"].second == 0
        assert row["open_time"] <= NOW
        assert row["knowledge_time"] == row["close_time"] > row["open_time"]
        assert not row["is_final"] or row["close_time"] <= NOW
    times = table["open_time"].to_pylist()
    assert times == sorted(set(times))
    for item in parsed.rejects:
        assert item.raw.isprintable()
        assert item.where.isprintable()


@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=6))
@settings(max_examples=60, deadline=None)
def test_4_order_and_repetition_of_rows_change_nothing(order: list[int], again: list[int]) -> None:
    rows = [gate_row(minute, close=99.0 + minute / 8) for minute in range(12)]
    shuffled = gate(json.dumps([rows[n] for n in [*order, *again]]).encode())
    clean = gate(json.dumps(rows).encode())
    assert shuffled
    assert clean
    assert shuffled.tables["candle"].equals(clean.tables["candle"])
    assert [item.reason for item in shuffled.rejects] == ["duplicate"] * len(again)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7), JUNK), max_size=8))
@settings(max_examples=300, deadline=None)
def test_junk_in_cells_never_passes_and_never_costs_a_row_without_notice(junk: list[tuple[int, int, Any]]) -> None:
    rows: list[list[Any]] = [gate_row(minute) for minute in range(10)]
    for row, column, value in junk:
        rows[row][column] = value
    parsed = gate(json.dumps(rows, allow_nan=True).encode("utf-8", "surrogatepass"))
    if parsed is None:
        return
    check_laws(parsed)
    lost = [f"{name}_{why}" for name in ("volume", "quote_volume") for why in ("unreadable", "negative")]
    lost.append("closed_unreadable")  # of the optional fields
    without_a_field = [item for item in parsed.rejects if item.reason in lost]
    assert parsed.tables["candle"].num_rows + len(parsed.rejects) - len(without_a_field) == len(rows)
    touched = {row for row, _, _ in junk}
    kept = {int(time.timestamp() - FIRST) // 60 for time in parsed.tables["candle"]["open_time"].to_pylist()}
    doubled = {
        item.where for item in parsed.rejects if item.reason in ("conflicting_duplicate", "duplicate", "price_spike")
    }
    assert {n for n in range(10) if n not in touched and f"/{n}" not in doubled} <= kept


@given(st.integers(0, 2**32), st.integers(1, 20))
@settings(max_examples=300, deadline=None)
def test_5_mutated_bytes_are_refused_or_obey_the_laws(seed: int, count: int) -> None:
    body = bytearray(json.dumps([gate_row(minute) for minute in range(10)]).encode())
    source = random.Random(seed)
    for _ in range(count):
        at = source.randrange(len(body))
        action = source.randrange(3)
        if action == 0:
            body[at] = source.choice(b'0123456789.,"[]{}-+eEtfnul \x00\xff')
        elif action == 1:
            del body[at : at + source.randrange(1, 9)]
        else:
            body[at:at] = body[source.randrange(len(body)) :][:9]
    parsed = gate(bytes(body))
    if parsed is not None:
        check_laws(parsed)


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_by_every_protocol_or_hold_no_records(body: bytes) -> None:
    for name in ("gateio_candles", "gateio_trades", "yahoo_chart", "ecb_fx_daily", "ecb_fx_history"):
        parsed = attempt(name, body)
        assert parsed is None or all(table.num_rows == 0 for table in parsed.tables.values())


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                ["chart", "result", "meta", "timestamp", "indicators", "quote", "open", "events", "splits", "x"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=400, deadline=None)
def test_any_json_is_refused_or_parsed_by_the_chart_protocol(document: Any) -> None:
    for shape in (document, {"chart": {"result": [document]}}, {"chart": document}):
        parsed = attempt("yahoo_chart", json.dumps(shape).encode())
        assert parsed is None or set(parsed.tables) == {"candle", "corporate_action"}


CHART_CELL = st.one_of(JUNK, st.just(100.0))


@given(
    st.lists(
        st.tuples(
            st.integers(1_700_000_000, 1_700_400_000), CHART_CELL, CHART_CELL, CHART_CELL, CHART_CELL, CHART_CELL
        ),
        max_size=4,
    ),
    st.lists(st.tuples(JUNK, JUNK, JUNK), max_size=2),
)
@settings(max_examples=200, deadline=None)
def test_junk_in_a_chart_is_refused_or_rejected(
    bars: list[tuple[Any, ...]], events: list[tuple[Any, Any, Any]]
) -> None:
    names = ("open", "high", "low", "close", "volume")
    quote = {name: [bar[n + 1] for bar in bars] for n, name in enumerate(names)}
    splits = {
        str(n): {"date": date, "numerator": one, "denominator": other} for n, (date, one, other) in enumerate(events)
    }
    result = {
        "meta": {"symbol": "AAPL", "currency": "USD", "dataGranularity": "1d", "exchangeName": "NMS"},
        "timestamp": [bar[0] for bar in bars],
        "indicators": {"quote": [quote]},
        "events": {"splits": splits},
    }
    body = json.dumps({"chart": {"result": [result], "error": None}}, allow_nan=True)
    parsed = attempt("yahoo_chart", body.encode("utf-8", "surrogatepass"), {})
    if parsed is None:
        return
    assert sum(table.num_rows for table in parsed.tables.values()) + len(parsed.rejects) == len(bars) + len(events)
    for row in parsed.tables["corporate_action"].to_pylist():
        assert 0 < row["ratio"] < float("inf")
