"""A repair is for the bars that it was proposed for; of others it writes nothing."""

from datetime import timedelta

import psycopg
import pytest

from strades_pipelines.database.crash import observe_crash_points
from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.ingestion.loader import load_stored
from tests.ingestion.conftest import NOW, Store, gate_body
from tests.ingestion.test_data_requests import sources
from tests.ingestion.test_discrepancies import FOUND, HOUR, STANDS, START, body, decide, load_wrong, rows

__all__ = ["sources"]
Connection = psycopg.Connection
AT = START + timedelta(minutes=31)
REVISED = ((30, 10_050.0), (31, 10_060.0), (32, 10_070.0))
OUTCOMES = "SELECT outcome FROM ops.data_requests ORDER BY request_id"


def revise(store: Store, url: str) -> None:
    """The source says the bars again: other prices, in the same wrong unit."""
    bars = []
    for minute, price in REVISED:
        time = str(int(START.timestamp()) + 60 * minute)
        prices = [str(price), str(price + 50), str(price - 50), str(price)]
        bars.append([time, "1000.5", *prices, "10.25", "true"])
    store(gate_body(*bars), request_key="revised", fetched_at=NOW + HOUR)
    load_stored(url=url, now=NOW + HOUR)


def test_a_repair_of_bars_that_the_source_revised_is_proposed_anew(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    load_wrong(database_url, store, (30, 31, 32))
    revise(store, database_url)
    assert [row[-2] for row in rows(connection, FOUND)] == ["gone", "open"]
    decide(connection, accept=True)
    carry_out_requests(database_url, sources, clock=lambda: NOW + 2 * HOUR)
    assert rows(connection, STANDS, AT)[0][0] == pytest.approx(100.6)


def test_a_repair_that_was_accepted_before_the_source_revised_its_bars_is_not_carried_out(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    load_wrong(database_url, store, (30, 31, 32))
    decide(connection, accept=True)
    revise(store, database_url)
    [outcome] = carry_out_requests(database_url, sources, clock=lambda: NOW + 2 * HOUR).values()
    assert outcome.startswith("not done: the bars changed after the repair was proposed")
    assert rows(connection, STANDS, AT)[0][0] == 10_060
    assert [row[-2] for row in rows(connection, FOUND)] == ["accepted", "open"]


def test_two_repairs_of_a_bar_do_not_carry_each_other_s_error(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    store(body(range(60)))
    load_stored(url=database_url, now=NOW)
    connection.execute("UPDATE records.candles SET high = high * 100, low = low / 100 WHERE open_time = %s", [AT])
    connection.commit()
    load_stored(url=database_url, now=NOW)
    for _ in range(2):
        decide(connection, accept=True)
        carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR)
    close, high, _ = rows(connection, STANDS, AT)[0]
    [(low,)] = rows(connection, "SELECT low FROM records.candles WHERE open_time = %s", AT)
    assert (high, low) == (pytest.approx(close + 0.5), pytest.approx(close - 0.5))
    outcomes = [outcome.partition(":")[0] for (outcome,) in rows(connection, OUTCOMES)]
    assert outcomes == ["done", "not done", "done"]


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_repair_that_was_begun_is_finished_though_its_bars_are_others_by_then(
    store: Store, connection: Connection, database_url: str, sources: Sources, is_loaded: bool
) -> None:
    def die(point: str) -> None:
        if point == "records.request_kept":
            raise OSError("the disk is away")

    load_wrong(database_url, store, (30, 31, 32))
    decide(connection, accept=True)
    with observe_crash_points(die), pytest.raises(OSError, match="the disk is away"):
        carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR)
    if is_loaded:
        load_stored(url=database_url, now=NOW + HOUR)
    [outcome] = carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR).values()
    assert outcome.startswith("done: ")
    assert [row[-2] for row in rows(connection, FOUND)] == ["accepted"]
