"""What Sources.json says of a person's own file."""

import json
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.files import user_files
from strades_pipelines.settings import PROJECT


def statistics(folder: Path, *more: dict[str, Any]) -> Path:
    """A Sources.json in which several entries name one series, and a file of it."""
    shared: dict[str, Any] = {
        "symbol": "DGS10",
        "name": "Ten years",
        "type": "timeseries",
        "interval": "1d",
        "kind": "statistic",
    }
    shared |= {"start_date": "1990-01-02T00:00:00", "end_date": None, "unit": "percent", "lag_days": 1}
    items = [{"id": f"{n}ST", **shared, **changes} for n, changes in enumerate(more)]
    website = {"name": "fred", "title": "FRED", "url": "https://fred.stlouisfed.org/", "fonctionnel": True}
    website |= {"category": "statistics", "protocol": "fred_csv", "schedule": "30 21 * * 1-5", "licence": "own"}
    website |= {"financial_instruments": [item["id"] for item in items]}
    document = {"websites": [website], "financial_instruments": items}
    (folder / "Sources.json").write_text(json.dumps(document))
    (folder / "dgs10.csv").write_text("observation_date,DGS10\n2024-01-02,3.95\n")
    return folder / "Sources.json"


def test_a_series_that_is_listed_twice_is_told_apart_by_what_is_said_of_it(tmp_path: Path) -> None:
    """Without intervals there is nothing to choose by: entries that say the same are one, others are named."""

    def given(*entries: dict[str, Any]) -> dict[str, str]:
        sources = load_sources(statistics(tmp_path, *entries))
        [file] = user_files([tmp_path / "dgs10.csv"], load_protocol("fred_csv"), {"symbol": "DGS10"}, sources, None)
        return dict(file.given)

    assert given({}, {"name": "Ten years again"})["lag_days"] == "1"
    with pytest.raises(GivenError, match=r"^expected one instrument DGS10 of fred, found several that differ$"):
        given({}, {"lag_days": 2})


def test_a_statistic_that_nobody_lists_is_taken_with_its_delay_and_a_calendar_that_is_said_is_not_assumed(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.csv").write_text("observation_date,DEXUSEU\n2024-01-02,1.1\n")
    nobody = Sources(websites=(), instruments=())
    fred, yahoo = load_protocol("fred_csv"), load_protocol("yahoo_chart")
    with pytest.raises(GivenError, match="expected --set lag_days="):
        user_files([tmp_path / "x.csv"], fred, {"symbol": "DEXUSEU"}, nobody, None)
    [file] = user_files([tmp_path / "x.csv"], fred, {"symbol": "DEXUSEU", "lag_days": "7"}, nobody, None)
    assert file.given["lag_days"] == "7"
    sources = load_sources(PROJECT / "Sources.json")
    for said, assumed in (({}, "calendar"), ({"calendar": "XLON"}, None)):
        [file] = user_files([tmp_path / "x.csv"], yahoo, {"symbol": "AAPL"} | said, sources, None)
        assert file.given.get("assumed") == assumed
