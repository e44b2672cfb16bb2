"""A price that cannot be meant stands in the data manager with its bytes; the word of an admin mends it."""

import re
from datetime import timedelta
from typing import Any

import psycopg

from dashboard.gateway.discrepancies import read_open_discrepancies
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.ingestion.discrepancies import find_discrepancies
from tests.brokerage.conftest import BTC, START, rows
from tests.dashboard.conftest import CLOCK, ClientOf
from tests.dashboard.test_data_changes import sources

__all__ = ["sources"]
BARS = """
    INSERT INTO records.candles
    SELECT %(listing)s, '1h', opens.at, opens.at + interval '1 hour', price, price, price, price, 1, NULL, NULL,
        opens.at + interval '1 hour', 'assumed', 1, %(start)s
    FROM generate_series(%(start)s::timestamptz, %(start)s::timestamptz + interval '29 hours', '1 hour') AS opens (at)
    CROSS JOIN LATERAL (SELECT CASE WHEN opens.at = %(wrong)s THEN 4200.0 ELSE 42.0 END AS price) AS prices
"""
BEFORE = START - timedelta(days=30)  # no bar of the fixture is near
WRONG = BEFORE + timedelta(hours=15)


def test_a_finding_shows_its_bytes_and_waits_for_an_admin(
    traded: psycopg.Connection[Any], sources: object, site: str, client_of: ClientOf
) -> None:
    traded.execute(BARS, {"listing": BTC, "start": BEFORE, "wrong": WRONG})
    traded.commit()
    with adbc_connect(site) as connection:
        assert find_discrepancies(connection, now=CLOCK).found == 1
    [found] = read_open_discrepancies(before=None, most=9)
    assert (found.cause, found.factor, found.from_time, found.expected_close) == ("hundredfold", 100.0, WRONG, 42.0)
    assert read_open_discrepancies(before=found.discrepancy_id, most=9) == []
    page = client_of("viewer").get("/data/changes/").content.decode()
    assert "a hundredfold or a hundredth" in page
    assert f'href="/bodies/{found.fetch_id}/"' in page
    path = f"/data/changes/{found.request_key}/"
    assert f'<a href="{path}">correct the prices</a>' in page
    french = client_of("analyst").get("/data/changes/", headers={"accept-language": "fr"}).content.decode()
    assert "corriger les prix" in french
    assert client_of("analyst", "ada").post(f"{path}answer/", {"verdict": "accept"}).status_code == 403
    admin = client_of("admin", "bob")
    admin.post(f"{path}answer/", {"verdict": "accept"})
    [told] = carry_out_requests(site, sources, clock=lambda: CLOCK).values()  # type: ignore[arg-type]
    assert told == "done: records.candles: 0 new, 1 revised"
    assert rows(traded, f"SELECT close FROM records.candles WHERE open_time = '{WRONG}'") == [(42.0,)]
    page = admin.get("/data/changes/").content.decode()
    assert "Prices that cannot be meant" not in page
    assert re.search(r"✓ done: records\.candles: 0 new, 1 revised", page)
    for wrong in ("x", "-1", "9" * 30):
        assert admin.get(f"/data/changes/?found_before={wrong}").status_code == 404, wrong
