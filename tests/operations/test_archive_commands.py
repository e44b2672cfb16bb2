"""`strades archive`: a month out and back, and what the store has."""

from pathlib import Path

import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.settings import settings
from tests.research.bars import Run


def test_a_month_goes_into_the_cold_store_and_comes_back(
    strades: Run, world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(world) as connection:
        connection.execute(
            "INSERT INTO records.trades SELECT listing_id, 'a', '2020-01-05Z', 1, 1, 'buy', '2020-01-05Z', 'stated', "
            "1, '2020-01-05Z' FROM records.listings"
        )
    assert "expected STRADES_COLD_STORE" in strades("archive", "2020-01").err
    monkeypatch.setenv("STRADES_COLD_STORE", str(tmp_path / "store"))
    settings.cache_clear()
    [month] = strades("archive", "2020-01", "--json").document["months"]
    assert (month["relation"], month["month"], month["row_count"]) == ("records.trades", "2020-01", 1)
    assert strades("archive", "--verify", "--json").document == {"months": [month], "verified": True}
    assert "no trades of 2020-02 can go" in strades("archive", "2020-02").err
    assert strades("archive", "--table", "quotes", "--json").document["months"] == []
    assert "expected one of trades, quotes, frames, was 'candles'" in strades("archive", "--table", "candles").err
    assert "records.trades have cold months: what took the place" in strades("revisions", "--json").err
    assert "cold" not in strades("revisions", "--kind", "candle", "--json").err
    back = strades("archive", "2020-01", "--restore", "--json")
    assert (back.document["months"], "1 trades of 2020-01 are in the database again" in back.err) == ([], True)
