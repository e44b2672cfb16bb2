"""Bad bodies: every file of the shared folder `dirty` has one decided outcome in tests/dirty_decisions.toml."""

import gzip
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol, protocol_names
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from tests.ingestion.protocols import daily_bars, gate_v2_trades

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Decision = dict[str, Any]
DECISIONS: dict[str, Decision] = tomllib.loads((Path(__file__).parents[1] / "dirty_decisions.toml").read_text())
CAPITALS = "Open High Low Close Volume"
# Protocols that the project has no file for: data alone, as a person would write them.
OWN: Mapping[str, Callable[[], Protocol]] = {
    "gate_v2_trades": gate_v2_trades,
    "csv_bars": daily_bars,
    "csv_dated": partial(daily_bars, columns="date open high low close volume"),
    "csv_stamped": partial(daily_bars, columns=f"Timestamp {CAPITALS}"),
    "csv_intraday": partial(daily_bars, "24/7", columns=f"Timestamp {CAPITALS}"),
    "yfinance_xetra": partial(daily_bars, "XETR", columns=f"Date {CAPITALS}", zone="Europe/Berlin"),
    "yfinance_london": partial(daily_bars, "XLON", columns=f"Date {CAPITALS}", zone="Europe/London"),
    "yfinance_paris": partial(daily_bars, "XPAR", columns=f"Date {CAPITALS}", zone="Europe/Paris"),
    "yfinance_hours": partial(daily_bars, "24/7", columns=f"Datetime {CAPITALS}"),
}
NOT_BODIES = {"README.md", "derived/manifest.json"}


def parsed(folder: Path, file: str, protocol: str, given: Mapping[str, str]) -> Parsed:
    """A file as a body of a protocol."""
    made = OWN[protocol]() if protocol in OWN else load_protocol(protocol)
    body = gzip.decompress((folder / file).read_bytes()) if file.endswith(".csv.gz") else (folder / file).read_bytes()
    return parse(made, body, given=given, fetched_at=NOW)


def records(found: Parsed) -> list[dict[str, Any]]:
    """Every record, of every kind."""
    return [row for table in found.tables.values() for row in table.to_pylist()]


def protocols_of(decision: Decision) -> list[str]:
    """A decision is about one protocol, or about several alike."""
    return [decision["protocol"]] if isinstance(decision["protocol"], str) else list(decision["protocol"])


def with_outcome(*outcomes: str) -> list[Any]:
    """The decided files, each with its protocols."""
    return [
        pytest.param(file, protocol, decision, id=f"{file}-{protocol}")
        for file, decision in DECISIONS.items()
        if decision["outcome"] in outcomes
        for protocol in protocols_of(decision)
    ]


def test_every_file_is_decided_and_every_decision_has_its_file(shared_data: Path) -> None:
    folder = shared_data / "dirty"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files - NOT_BODIES == set(DECISIONS)


@pytest.mark.parametrize(("file", "protocol", "decision"), with_outcome("refused"))
def test_body_is_refused_in_one_line(shared_data: Path, file: str, protocol: str, decision: Decision) -> None:
    with pytest.raises(BodyRefused) as refusal:
        parsed(shared_data / "dirty", file, protocol, decision.get("given", {}))
    assert decision["says"] in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) <= 300


@pytest.mark.parametrize(("file", "protocol", "decision"), with_outcome("loaded"))
def test_good_rows_are_kept_and_each_bad_one_has_its_reason(
    shared_data: Path, file: str, protocol: str, decision: Decision
) -> None:
    found = parsed(shared_data / "dirty", file, protocol, decision.get("given", {}))
    assert len(records(found)) == decision["rows"]
    assert dict(Counter(item.reason for item in found.rejects)) == decision.get("rejects", {})
    if "base" in decision:  # the file that was mutated: what is kept of it is what it says
        clean = records(parsed(shared_data, decision["base"], protocol, decision.get("given", {})))
        kept = [row for row in records(found) if row in clean]
        assert len(records(found)) - len(kept) == decision.get("changed", 0)
        assert len(clean) - len(kept) == decision.get("lost", 0) + decision.get("changed", 0)


def test_a_format_that_is_waited_for_does_not_exist() -> None:
    waiting = {file: decision for file, decision in DECISIONS.items() if decision["outcome"] == "waits"}
    for file, decision in waiting.items():
        assert not set(protocols_of(decision)) & set(protocol_names()), f"a protocol exists now: decide {file}"
        assert decision["why"]


def test_a_rejected_row_is_named_by_its_place(shared_data: Path) -> None:
    derived = "dirty/derived/klines_{}.json"
    for name in ("null_field", "high_lt_low", "thousands_separator", "misaligned"):
        decision = DECISIONS[f"derived/klines_{name}.json"]
        mutated, base = (
            json.loads((shared_data / file).read_bytes()) for file in (derived.format(name), decision["base"])
        )
        where = next(n for n, row in enumerate(mutated) if row != base[n])
        found = parsed(shared_data, derived.format(name), decision["protocol"], decision["given"])
        assert [item.where for item in found.rejects] == [f"/{where}"]


def test_numbers_written_oddly_are_the_numbers_they_are(shared_data: Path) -> None:
    for name, column, field in (("scientific", 5, "volume"), ("many_decimals", 4, "close")):
        file = f"derived/klines_{name}.json"
        text = json.loads((shared_data / "dirty" / file).read_bytes())[3][column]
        found = parsed(shared_data / "dirty", file, "binance_candles", DECISIONS[file]["given"])
        assert records(found)[3][field] == float(text)


def test_a_rate_that_is_not_available_is_no_record(shared_data: Path) -> None:
    found = parsed(shared_data / "dirty", "derived/ecb_na_rate.xml", "ecb_fx_daily", {})
    assert "ECB:ISK" not in [row["series"] for row in records(found)]


def test_a_date_of_a_feed_that_cannot_be_read_is_none_and_known_when_it_was_fetched(shared_data: Path) -> None:
    found = parsed(shared_data / "dirty", "derived/rss_bad_dates.xml", "feed", {})
    dates = {row["title"]: (row["published_at"], row["knowledge_time"]) for row in records(found)}
    for title in ("d4", "d5", "d6", "d7", "d8"):  # words, nothing, a day that no month has, unix seconds, the future
        assert dates[title] == (None, NOW)
    assert dates["d0"][0] == datetime(2024, 7, 1, 18, 34, 32, tzinfo=UTC)
    assert dates["d3"][0] == datetime(2024, 7, 1, 19, 34, tzinfo=UTC)


def test_markup_and_undeclared_letters_of_a_title_are_text(shared_data: Path) -> None:
    for file, title in (("script_in_title", "alert(1) Shares & bonds"), ("undeclared_latin1", "EUR f\u00e4llt")):
        [row] = records(parsed(shared_data / "dirty", f"derived/rss_{file}.xml", "feed", {}))
        assert row["title"] == title
