"""`strades parse`: one document, or counts and the first rows, and no database."""

from pathlib import Path

import pytest

from strades_pipelines.settings import settings
from tests.ingestion.conftest import gate_body, gate_row
from tests.research.bars import Run


@pytest.fixture(autouse=True)
def no_database(strades: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    settings.cache_clear()


def test_a_body_is_parsed_as_its_protocol_says(strades: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(gate_body(*(gate_row(minute) for minute in range(12)), gate_row(12, close=500.0)))
    words = ("parse", "gateio_candles", file, "--set", "symbol=BTC_USDT", "--set", "interval=1m")
    document = strades(*words, "--json").document
    assert (len(document["records"]), [reject["reason"] for reject in document["rejects"]]) == (
        12,
        ["close_outside_range"],
    )
    shown = strades(*words).out
    assert shown.startswith("12 records, 1 rejects, sha256 ")
    assert shown.count("'open_time'") == 10
    assert "close_outside_range" in shown


def test_what_is_no_such_body_is_refused_in_one_line(strades: Run, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    answer = strades(
        "parse", "gateio_candles", tmp_path / "page.html", "--set", "symbol=BTC_USDT", "--set", "interval=1m"
    )
    assert (answer.code, answer.out, answer.err.count("strades: ")) == (2, "", 1)
