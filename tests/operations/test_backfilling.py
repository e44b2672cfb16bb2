"""Which assets and months a backfill is for, and that it does them on the instance, in this process."""

import json
from datetime import UTC, datetime

import exchange_calendars
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.definitions import defs
from strades_pipelines.operations.backfilling import _months, chosen
from strades_pipelines.partitions import Window
from strades_pipelines.settings import PROJECT
from tests.end_to_end.installation import STOCKS, WINDOW, YEARS_LATER, installation

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def window(first: str, last: str) -> Window:
    """[first, last) of two days."""
    return Window(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last)))


def test_assets_are_chosen_by_key_by_layer_or_all_with_those_of_the_same_step() -> None:
    graph = defs().resolve_asset_graph()
    names = {key.to_user_string() for key in chosen(graph, ["records/candles"], None)}
    assert {"records/candles", "records/trades", "records/rejects"} <= names
    assert {name.split("/")[0] for name in names} == {"records"}
    assert {key.path[0] for key in chosen(graph, [], "features")} == {"features"}
    every = [key.path[0] for key in chosen(graph, [], None)]
    assert every.index("rawsources") < every.index("results")
    with pytest.raises(BadInput, match=r"--asset: expected .*records/candles"):
        chosen(graph, ["records/candle"], None)
    with pytest.raises(BadInput, match="--layer: expected one of rawsources"):
        chosen(graph, [], "raw")
    with pytest.raises(BadInput, match="found both"):
        chosen(graph, ["records/candles"], "records")


def test_months_reach_from_1999_to_the_present_one() -> None:
    assert _months(window("2012-12-31", "2013-02-02"), NOW) == 3
    assert _months(window("2026-11-01", "2026-12-01"), NOW) == 1
    for first, last in (("1998-12-01", "1999-02-01"), ("2026-11-01", "2026-12-02")):
        with pytest.raises(BadInput, match="expected months from 1999-01-01 to 2026-11-01"):
            _months(window(first, last), NOW)


@pytest.mark.slow
def test_months_are_fetched_and_worked_through_and_again_change_nothing() -> None:
    words = ("backfill", "--asset", "rawsources/yahoo", "--asset", "records/candles", *WINDOW, "--json")
    others = {website.name for website in load_sources(PROJECT / "Sources.json").websites} - {"yahoo"}
    with installation(without=others, clock=YEARS_LATER) as made:
        done = made.strades(*words, now=YEARS_LATER)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert (document["months"], document["failures"]) == (1, [])
        rows = {asset["asset"]: asset["rows"] for asset in document["assets"]}
        assert rows["rawsources/yahoo"] == len(STOCKS)  # a question a year and stock
        assert {"records/candles", "records/rejects"} <= set(rows)  # made in one step
        with made.connect() as connection:
            february = (
                "SELECT count(*) FROM records.candles WHERE open_time >= '2013-02-01' AND open_time < '2013-03-01'"
            )
            assert connection.execute(february).fetchone() == (19 * len(STOCKS),)  # sessions of New York
        before = made.hashes()
        assert made.strades(*words, now=YEARS_LATER).returncode == 0
        assert made.hashes() == before
        assert made.strades("backfill", "--layer", "cleaned", *WINDOW, now=YEARS_LATER).returncode == 0
        sessions = exchange_calendars.get_calendar("XNYS", start="2000-01-01").sessions_in_range(
            "2000-03-01", "2012-12-31"
        )
        missing = json.loads(made.strades("gaps", "--json", now=YEARS_LATER).stdout)["missing"]
        assert missing == {"not_fetched": len(STOCKS) * len(sessions)}  # the question for February was one for the year
        fixed = made.strades("gaps", "--fix", "--json", now=YEARS_LATER)
        assert fixed.returncode == 0, fixed.stderr
        document = json.loads(fixed.stdout)
        [launched] = [one for one in document["launched"] if one["source"] == "yahoo"]
        assert (launched["missing"], document["closed"], document["open"]) == (*missing.values(), *missing.values(), [])
        again = json.loads(made.strades("gaps", "--fix", "--json", now=YEARS_LATER).stdout)
        assert (again["launched"], again["closed"], again["open"]) == ([], 0, document["open"])
