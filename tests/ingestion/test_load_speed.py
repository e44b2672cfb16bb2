"""How fast stored bodies become committed rows: 100 bodies of 1,000 Gate.io candles."""

import time
from datetime import timedelta

import psycopg
import pytest

from strades_pipelines.ingestion.loader import load_stored
from tests.ingestion.conftest import NOW, Store, gate_body, gate_row

BODIES, BARS = 100, 1000
FLOOR = 5_000  # candles a second on the busiest machine; a quiet one of two cores does many times as many


@pytest.mark.slow
def test_a_hundred_thousand_candles_load_at_tens_of_thousands_a_second(
    store: Store, connection: psycopg.Connection[tuple[int]], database_url: str
) -> None:
    for body in range(BODIES):
        rows = [gate_row(body * BARS + minute - 150_000) for minute in range(BARS)]
        store(gate_body(*rows), request_key=f"{body}", fetched_at=NOW + timedelta(seconds=body))
    load_stored(url=database_url, now=NOW, fetch_ids=[])  # imports
    start = time.perf_counter()
    summary = load_stored(url=database_url, now=NOW + timedelta(hours=1))
    speed = BODIES * BARS / (time.perf_counter() - start)
    print(f"\n{speed:,.0f} candles a second from stored bodies to committed rows")
    assert summary.parsed == BODIES
    assert connection.execute("SELECT count(*) FROM records.candles").fetchone() == (BODIES * BARS,)
    assert speed > FLOOR
