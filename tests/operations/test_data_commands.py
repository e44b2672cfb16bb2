"""The commands as a person and a program call them: one document or a table, progress elsewhere, and the exit code."""

from pathlib import Path

from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.host_limits import HostLimits
from tests.ingestion.conftest import gate_body, gate_row
from tests.research.bars import Run


def test_a_file_is_loaded_reparsed_and_what_it_changed_is_told(strades: Run, tmp_path: Path) -> None:
    [listed] = strades("universe", "2026-01-01T00:00:00Z", "--json").document["listings"]
    assert (listed["symbol"], listed["symbol_now"], listed["delisted_at"]) == ("BTC_USDT", "BTC_USDT", None)
    file = tmp_path / "mine.json"
    file.write_bytes(gate_body(gate_row(0, close=100.5), gate_row(5)))
    words = (file, "--protocol", "gateio_candles", "--set", "symbol=BTC_USDT", "--set", "interval=1m")
    loaded = strades("load", *words, "--json")
    assert (loaded.code, loaded.document["rows"]["records.candles"]) == (
        0,
        {"inserted": 1, "revised": 1, "unchanged": 0},
    )
    assert "checking mine.json" in loaded.err
    [changed] = strades("revisions", "--instrument", "BTC_USDT", "--json").document["revisions"]
    assert changed["changed"] == {"close": {"old": 101.0, "new": 100.5}}
    assert "100.5" in strades("revisions").out
    again = strades("reparse", "gateio_candles", "--json")
    assert again.code == 0
    assert again.document["rows"]["records.candles"]["inserted"] == 0
    assert "parsed 2 of 2 bodies" in again.err


def test_what_cannot_be_used_is_one_line_and_2_and_what_fails_is_1(strades: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("<html>")
    for words in (
        ("load", bad, "--protocol", "gateio_candles", "--set", "symbol=BTC_USDT", "--set", "interval=1m"),
        ("load", bad, "--protocol", "no_such"),
        ("reparse", "no_such"),
        ("revisions", "--kind", "no_such"),
        ("revisions", "--from", "yesterday"),
        ("gaps", "--instrument"),
        ("discrepancies", "--state", "no_such"),
        ("archive", "January"),
        ("universe", "yesterday"),
        ("archive", "--restore"),
        ("archive", "2026-01", "--restore"),
        ("discrepancies", "--accept", "7"),
        ("backfill", "--layer", "records", "--from", "2013-02-01", "--to", "2013-01-01"),
        ("db", "restore", bad),
    ):
        answer = strades(*words)
        said = [line for line in answer.err.splitlines() if line.startswith("strades: ")]
        assert (answer.code, answer.out, len(said)) == (2, "", 1), words
    assert strades("gaps").code == 1  # dbt has not made the ledger
    assert strades("gaps", "--fix").code == 1
    assert strades("discrepancies", "--json").document == {"discrepancies": [], "outcome": None}


def test_hosts_are_listed_and_one_is_asked_again_when_a_person_says_so(strades: Run, world: str) -> None:
    with connect(world) as connection:
        HostLimits(connection, 300).pause("api.example.org", 3600, "HTTP 418")
    [held] = strades("hosts", "--json").document["hosts"]
    assert (held["host"], held["state"], held["because"]) == ("api.example.org", "paused", "HTTP 418")
    [released] = strades("hosts", "--release", "api.example.org", "--json").document["hosts"]
    assert (released["state"], released["blocked_until"], released["because"]) == ("closed", None, None)
    unknown = strades("hosts", "--release", "nobody.example.org")
    assert (unknown.code, "expected a host that was asked before" in unknown.err) == (2, True)
