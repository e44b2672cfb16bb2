"""Gaps to assets and months, shown before they are launched; and the launch is of what was shown."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest

from dashboard.gateway.gaps import backfill_part
from dashboard.scheduler.models import DagsterRequest
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.gap_plan import FixableGap, count_missing, plan_backfill
from tests.brokerage.conftest import BTC
from tests.dashboard.conftest import ClientOf
from tests.dashboard.recorded import Recorded
from tests.dashboard.test_automation import form, recorded, submitted

__all__ = ["recorded"]


def gap(source: str | None, first: str, last: str) -> FixableGap:
    """Ten bars that are missing."""
    start, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    return FixableGap("gateio", "BTC_USDT", "1m", source, 10, start, end)


def test_gaps_ask_their_sources_for_their_months() -> None:
    months = ("2024-01-31T23:00Z", "2024-03-01T00:00Z")
    found = [
        gap("gateio", *months),
        gap("other", "2024-05-01T00:00Z", "2024-05-01T00:01Z"),
        gap(None, *months),
        gap("off", *months),
    ]
    planned, orphans = plan_backfill(found, {"gateio", "other"})
    # The end of a gap is no part of it: the first of March at midnight asks for no March.
    parts = map(backfill_part, planned)
    assert [(part.asset, part.first, part.last) for part in parts] == [
        ("rawsources/gateio", "2024-01-01", "2024-02-01"),
        ("rawsources/other", "2024-05-01", "2024-05-01"),
    ]
    assert [one.source for one in orphans] == [None]  # what `off` has is asked of `gateio`
    assert [one.source for one in plan_backfill(found[:1] + found[3:], set())[1]] == ["gateio", "off"]
    assert count_missing(found) == 10


@pytest.fixture
def gaps(traded: psycopg.Connection[Any], site: str) -> Iterator[psycopg.Connection[Any]]:
    """The gap ledger of dbt with a gap of each kind of the listing that is traded."""
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute(
            'CREATE TABLE cleaned.gaps (listing_id integer, "interval" text, gap_start timestamptz, '
            "gap_end timestamptz, missing bigint, cause text)"
        )
        dbt.execute("GRANT SELECT ON cleaned.gaps TO strades_dashboard, strades_app")
        dbt.execute(
            "INSERT INTO cleaned.gaps SELECT l.listing_id, '1m', '2024-01-01', '2024-01-02', 7, cause "
            "FROM records.listings AS l CROSS JOIN unnest(ARRAY['fetch_failed', 'no_trades']) AS cause "
            "WHERE l.listing_id = %s",
            [BTC],
        )
    traded.execute(
        "INSERT INTO records.bar_series VALUES (%s, '1m', 'gateio', '2020-01-01', NULL, 60, NULL, 0), "
        "(%s, '1m', 'gateio_trades', '2020-01-01', '2021-01-01', 60, NULL, 0)",
        [BTC, BTC],
    )
    traded.commit()
    with connect(site, role="strades_dbt") as dbt:
        yield dbt


def test_a_backfill_is_shown_and_launched_once_as_it_was_shown(
    gaps: psycopg.Connection[Any], recorded: Recorded, client_of: ClientOf
) -> None:
    client = client_of("analyst")
    assert "Fix 7 missing bars" in client.get("/states/").content.decode()
    page = client.get("/automation/backfill/").content.decode()
    assert "rawsources/gateio" in page
    plan = str(re.findall(r'name="plan" value="(\w{64})"', page)[0])
    assert client.post("/automation/backfill/", form(plan="0" * 64)).status_code == 409
    assert not DagsterRequest.objects.exists()
    sent = form(plan=plan)
    for _ in range(2):
        row = submitted(client, "/automation/backfill/", sent)
    assert (row.state, row.backfill_id) == ("done", "abcdefgh")
    assert recorded.names() == ["LaunchBackfill"]
    [part] = recorded.variables("LaunchBackfill")["backfill"]["partitionsByAssets"]
    assert part == {
        "assetKey": {"path": ["rawsources", "gateio"]},
        "partitions": {"ranges": [{"start": "2024-01-01", "end": "2024-01-01"}]},
    }
    assert "requested" in client.get(f"/automation/requests/{sent['key']}/").content.decode()
    gaps.execute("UPDATE cleaned.gaps SET cause = 'no_trades'")
    gaps.commit()
    assert client.post("/automation/backfill/", form(plan=plan)).status_code == 409
    assert "No gap can be closed by fetching" in client.get("/automation/backfill/").content.decode()
    for wrong in ("x", "-1", "9" * 30, "1%00"):
        assert client.get(f"/automation/backfill/?listing={wrong}").status_code == 404, wrong
    assert client_of("viewer").get("/automation/backfill/").status_code == 403
