"""`strades gaps --fix` asks the sources in use for what was not asked, and says of the rest why nobody can."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.gap_plan import FIXABLE, REASONS, FixableGap, SourceMonths
from strades_pipelines.market.ids import int31
from strades_pipelines.operations import gap_closing
from strades_pipelines.operations.gap_closing import close_gaps, launch, still_open
from strades_pipelines.partitions import Window
from strades_pipelines.settings import PROJECT
from tests.ingestion.conftest import add_listing
from tests.operations.test_reading import LEDGER

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START = datetime(2026, 10, 31, 23, tzinfo=UTC)
BTC = int31("gateio", "BTC_USDT")
CAUSES = ("not_fetched", "fetch_failed", "beyond_reach", "no_trades")


@pytest.fixture
def ledger(database_url: str) -> psycopg.Connection[Any]:
    """A gap of two hours over the end of a month for each cause; one source for the listing, none for another one."""
    connection = psycopg.connect(database_url, autocommit=True)
    connection.execute(LEDGER)
    for venue, symbol in (("gateio", "BTC_USDT"), ("gone", "OLD")):
        add_listing(connection, venue, symbol)
    connection.execute(
        "INSERT INTO records.bar_series VALUES (%s, '1m', 'gateio', '2020-01-01', NULL, 60, 1, 0)", [BTC]
    )
    for number, cause in enumerate(CAUSES):
        start = START + timedelta(days=3 * number)
        connection.execute(
            "INSERT INTO cleaned.gaps SELECT listing_id, '1m', %s, %s, 120, %s FROM records.listings",
            [start, start + timedelta(hours=2), cause],
        )
    return connection


def test_what_can_be_closed_is_asked_for_and_the_rest_says_why_not(
    ledger: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], str | None, Window]] = []

    def backfill(keys: list[str], layer: str | None, window: Window, now: datetime, **_: object) -> dict[str, Any]:
        asked.append((keys, layer, window))
        if layer == "cleaned":  # what the sources brought
            ledger.execute("DELETE FROM cleaned.gaps WHERE listing_id = %s AND cause = 'not_fetched'", [BTC])
        return {"failures": ["rawsources/gateio: HTTP 503"] if keys else []}

    monkeypatch.setattr(gap_closing, "backfill", backfill)
    document = close_gaps(
        lambda: psycopg.connect(database_url), (None, None, None), {"gateio"}, NOW, progress=lambda _line: None
    )
    months = Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert asked == [(["rawsources/gateio"], None, months), ([], "records", months), ([], "cleaned", months)]
    assert document["launched"] == [{"source": "gateio", "from": months.start, "to": months.end, "missing": 240}]
    assert (document["closed"], document["failures"]) == (120, ["rawsources/gateio: HTTP 503"])
    reasons = {(row["instrument"], row["cause"]): row["reason"] for row in document["open"]}
    assert reasons.pop(("gateio:BTC_USDT", "fetch_failed")).startswith("its source was asked, and did not answer")
    assert reasons == {
        ("gateio:BTC_USDT", "beyond_reach"): "its provider no longer serves it; another source may",
        ("gateio:BTC_USDT", "no_trades"): "its source answered that there is no bar",
        ("gone:OLD", "beyond_reach"): "its provider no longer serves it; another source may",
        ("gone:OLD", "fetch_failed"): "no source of Sources.json that is in use has these bars",
        ("gone:OLD", "no_trades"): "its source answered that there is no bar",
        ("gone:OLD", "not_fetched"): "no source of Sources.json that is in use has these bars",
    }


def test_nothing_is_launched_where_nothing_can_be_closed(
    ledger: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_closing, "launch", lambda *_, **__: pytest.fail("it was launched"))
    cases: tuple[tuple[gap_closing.Filters, set[str]], ...] = (
        ((None, None, "no_trades"), {"gateio"}),
        (("OLD", None, None), {"gateio"}),
        ((None, "1d", None), {"gateio"}),
        ((None, None, None), {"other"}),
    )
    for filters, working in cases:
        document = close_gaps(lambda: psycopg.connect(database_url), filters, working, NOW, progress=lambda _line: None)
        assert (document["launched"], document["closed"]) == ([], 0)


def test_every_cause_that_fetching_cannot_close_has_its_reason() -> None:
    law = (PROJECT / "dbt_project" / "models" / "cleaned" / "gaps.yml").read_text()
    causes = set(law.split("cause in (")[1].split(")")[0].replace("'", "").split(", "))
    assert causes == {*REASONS, *FIXABLE}


def test_the_months_of_several_sources_are_worked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def backfill(*words: Any, **_: object) -> dict[str, Any]:
        asked.append(words)
        return {"failures": []}

    monkeypatch.setattr(gap_closing, "backfill", backfill)
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 5, 6)]
    gap = FixableGap("v", "s", "1m", "a", 1, months[0], months[1])
    planned = [SourceMonths("a", months[0], months[1], (gap,)), SourceMonths("b", months[2], months[3], (gap,))]
    launch(planned, NOW, progress=print)
    assert [(words[0], words[1]) for words in asked] == [
        (["rawsources/a"], None),
        (["rawsources/b"], None),
        ([], "records"),
        ([], "cleaned"),
    ]
    assert asked[-1][2] == Window(months[0], months[3])
    assert still_open([], []) == []
