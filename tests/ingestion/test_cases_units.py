"""Faults of units from public bug reports; the file of the cases says what must come out of their bytes, and why."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from strades_pipelines.operations.loading import load_files
from tests.dbt_project.building import rows, run_dbt
from tests.ingestion.conftest import NOW


@pytest.fixture(scope="session")
def cases(shared_data: Path) -> Path:
    """The folder of the cases."""
    return shared_data / "cases" / "ingestion"


def parsed(cases: Path, name: str) -> Parsed:
    """What the body of a case says, with what its `args` give."""
    case = next(one for one in json.loads((cases / "cases.json").read_text())["cases"] if one["id"] == name)
    given: dict[str, Any] = dict(word.split("=") for word in case["args"] if "=" in word)
    body = (cases / case["files"][0]).read_bytes()
    return parse(load_protocol(case["protocol"]), body, given=given, fetched_at=NOW)


def one_listing(folder: Path, symbol: str, currency: str, calendar: str, **more: Any) -> Sources:
    """Yahoo with one share, in use since 2000."""
    website = {"name": "yahoo", "title": "Yahoo", "url": "https://finance.yahoo.com/", "fonctionnel": True}
    website |= {"category": "markets", "protocol": "yahoo_chart", "schedule": "30 21 * * 1-5", "licence": "own"}
    share: dict[str, Any] = {
        "id": "1EQ",
        "symbol": symbol,
        "name": "Example",
        "type": "timeseries",
        "interval": "1d",
        "kind": "equity",
    }
    share |= {"start_date": "2000-03-01T00:00:00", "end_date": None, "currency": currency, "calendar": calendar}
    share |= {"tick_size": 0.01, "lot_size": 1} | more
    document = {"websites": [website | {"financial_instruments": ["1EQ"]}], "financial_instruments": [share]}
    (folder / "Sources.json").write_text(json.dumps(document))
    return load_sources(folder / "Sources.json")


def load(url: str, file: Path, symbol: str, sources: Sources, now: datetime = NOW) -> dict[str, Any]:
    """`strades load` of a file of Yahoo's."""
    return load_files(
        [file], "yahoo_chart", [f"symbol={symbol}"], sources, now=now, url=url, progress=lambda line: None
    )


def test_a_page_with_decimal_commas_gives_no_price_a_hundred_times_too_large(cases: Path) -> None:
    """The price of IBM on 2012-03-05 was 198.57, which the page writes as 198,57."""
    found = parsed(cases, "page-with-decimal-commas")
    assert [reject.reason for reject in found.rejects] == ["open_unreadable"] * 3
    assert found.tables["candle"].num_rows == 0


def test_a_hidden_sort_key_is_not_of_the_volume(cases: Path) -> None:
    """The page shows 5,240,000 behind a key for sorting that no reader sees."""
    found = parsed(cases, "page-with-hidden-sort-keys")
    assert found.tables["candle"]["volume"].to_pylist() == [5240000.0, 4987000.0]
    assert found.rejects == ()


def test_a_dividend_in_dollars_on_a_share_in_pence_stays_in_dollars(cases: Path) -> None:
    """Never a record of 0.1 GBp: 0.10 USD was about 8 pence, 1.1 % of the price."""
    found = parsed(cases, "dividend-in-dollars-on-a-share-in-pence")
    assert found.tables["candle"]["close"].to_pylist() == [695.5, 701.2, 692.3]
    assert found.rejects == ()
    [action] = found.tables["corporate_action"].to_pylist()
    assert (action["action"], action["amount"], action["currency"]) == ("dividend", 0.1, "USD")


@pytest.mark.slow
def test_a_body_in_pence_of_a_listing_in_pounds_is_clean_in_pounds(
    cases: Path, tmp_path: Path, database_url: str
) -> None:
    """cleaned.daily_bars must never say 695.5 with currency GBP."""
    load(database_url, cases / "prices_in_pence.json", "EXUK.L", one_listing(tmp_path, "EXUK.L", "GBP", "XLON"))
    run_dbt(database_url, ("build", "--select", "+daily_bars", "--exclude-resource-type", "unit_test"))
    clean = rows(database_url, "SELECT close, volume, currency FROM cleaned.daily_bars ORDER BY session_date")
    assert [(volume, currency) for _, volume, currency in clean] == [(21000000.0, "GBP"), (19000000.0, "GBP")]
    assert [close for close, _, _ in clean] == pytest.approx([6.955, 7.012], rel=1e-15)


def test_a_listing_whose_currency_is_corrected_has_its_bodies_read_again(
    cases: Path, tmp_path: Path, database_url: str
) -> None:
    closes = "SELECT close FROM records.candles ORDER BY open_time"
    load(database_url, cases / "prices_in_pence.json", "EXUK.L", one_listing(tmp_path, "EXUK.L", "GBp", "XLON"))
    assert rows(database_url, closes) == [(695.5,), (701.2,)]
    pounds = one_listing(tmp_path, "EXUK.L", "GBP", "XLON")
    assert sync_listings(pounds, url=database_url, now=NOW).listings == 1
    load_stored(url=database_url, now=NOW)
    assert [close for (close,) in rows(database_url, closes)] == pytest.approx([6.955, 7.012], rel=1e-15)
    assert sync_listings(pounds, url=database_url, now=NOW).listings == 0
    assert rows(database_url, "SELECT count(*) FROM records.parses") == [(1,)]


def test_a_body_in_dollars_of_a_listing_in_pounds_is_refused(cases: Path, tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "dollars.json"
    file.write_bytes((cases / "prices_in_pence.json").read_bytes().replace(b"GBp", b"USD"))
    with pytest.raises(BodyRefused, match=r"^dollars\.json: expected currency GBP, was USD$"):
        load(database_url, file, "EXUK.L", one_listing(tmp_path, "EXUK.L", "GBP", "XLON"))


@pytest.mark.slow
@pytest.mark.parametrize("clocks", [("2014-01-01T12:00Z", "2014-06-10T22:00Z"), ("2026-11-22T12:00Z",) * 2])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_year_before_a_split_is_in_the_same_shares_as_the_year_of_it(
    cases: Path, tmp_path: Path, database_url: str, clocks: tuple[str, str], order: tuple[int, int]
) -> None:
    """561.02 in old shares, then 79.02 in new ones: the split of 7:1 of 2014-06-09 makes that -1.4 %, not -86 %.

    The first clocks are those of a crawl, the second those of files that are loaded long after.
    """
    sources = one_listing(tmp_path, "AAPL", "USD", "XNYS")
    bodies = (cases / "split_2013.json", cases / "split_2014.json")
    for number in order:
        load(database_url, bodies[number], "AAPL", sources, datetime.fromisoformat(clocks[number]))
    run_dbt(database_url, ("build", "--select", "+daily_bars", "--exclude-resource-type", "unit_test"))
    clean = rows(
        database_url,
        "SELECT close * total_return_factor, close, volume FROM cleaned.daily_bars ORDER BY session_date",
    )
    wealth = [row[0] for row in clean]
    assert wealth[2] / wealth[1] == pytest.approx(79.02 * 7 / 561.02, rel=1e-9)
    assert [row[1] for row in clean[:2]] == pytest.approx([554.52 / 7, 561.02 / 7], rel=1e-12)
    assert [row[2] for row in clean[:2]] == [9058200 * 7, 7967300 * 7]
    assert wealth[2:] == [79.02, 77.28, 92.22, 93.7]
