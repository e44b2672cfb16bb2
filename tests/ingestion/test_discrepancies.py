"""Prices that cannot be meant wait with a repair; nobody's data changes before a person accepts it."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.ingestion import discrepancies
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.ingestion.finding_diff import compare_findings
from strades_pipelines.ingestion.loader import LoaderConnections, load_stored
from strades_pipelines.ingestion.outliers import find_outliers
from strades_pipelines.lineage.trace import trace_all
from strades_pipelines.market.ids import int31
from tests.ingestion.conftest import GATE, NOW, Store, gate_body
from tests.ingestion.test_data_requests import sources

__all__ = ["sources"]
Connection = psycopg.Connection[Any]
START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOUND = """
    SELECT cause, cells, bars, factor, to_time - from_time, repair, state, decided_by
    FROM records.discrepancy_states ORDER BY discrepancy_id
"""
STANDS = """
    SELECT c.close, c.high, f.source FROM records.candles AS c INNER JOIN rawsources.fetches AS f USING (fetch_id)
    WHERE c.open_time = %s
"""
EVERY = ("open", "high", "low", "close")


def body(minutes: Sequence[int], wrong: Sequence[int] = (), factor: float = 100.0) -> bytes:
    """Gate.io's bars of those minutes, a price in cents; those that are wrong `factor` times that."""
    prices = np.round(100 + np.sin(np.arange(max(minutes) + 1)), 2)
    rows = []
    for minute in minutes:
        scale = factor if minute in wrong else 1.0
        close, high, low = (round(float(prices[minute] + more) * scale, 4) for more in (0, 0.5, -0.5))
        time = str(int(START.timestamp()) + 60 * minute)
        rows.append([time, "1000.5", str(close), str(high), str(low), str(close), "10.25", "true"])
    return gate_body(*rows)


def load_wrong(url: str, store: Store, minutes: Sequence[int], factor: float = 100.0) -> int:
    """Load 60 bars, of which `minutes` are wrong; the fetch of those: within one answer the sanitizer refuses them."""
    store(body([minute for minute in range(60) if minute not in minutes]), request_key="right")
    fetch_id = store(body(minutes, wrong=minutes, factor=factor), request_key="wrong")
    assert load_stored(url=url, now=NOW).discrepancies == 1
    return fetch_id


def decide(connection: Connection, accept: bool) -> None:
    """An admin's word on every open repair."""
    connection.execute(
        "INSERT INTO ops.data_verdicts SELECT request_id, %s, 'dashboard:bob', %s FROM records.discrepancy_states "
        "WHERE state = 'open'",
        [accept, NOW],
    )
    connection.commit()


def rows(connection: Connection, query: str, *values: Any) -> list[Any]:
    """The rows of a query; leaves no transaction open."""
    found = connection.execute(query, list(values)).fetchall()
    connection.rollback()
    return found


def test_a_hundredfold_run_waits_with_its_bytes_and_an_accepted_repair_is_a_version(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    fetched = load_wrong(database_url, store, (30, 31, 32))
    assert rows(connection, FOUND) == [
        ("hundredfold", list(EVERY), 3, 100.0, timedelta(minutes=2), "correction", "open", None)
    ]
    evidence = "SELECT fetch_id, reference_fetch_id <> fetch_id FROM records.discrepancies"
    assert rows(connection, evidence) == [(fetched, True)]
    at = START + timedelta(minutes=31)
    [(wrong, _, source)] = rows(connection, STANDS, at)
    assert (wrong > 9000, source) == (True, "gateio")
    assert carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR) == {}  # nobody said yes
    assert rows(connection, STANDS, at)[0][0] == wrong
    decide(connection, accept=True)
    [outcome] = carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR).values()
    assert outcome == "done: records.candles: 0 new, 3 revised"
    assert rows(connection, STANDS, at) == [(pytest.approx(wrong / 100), pytest.approx(wrong / 100 + 0.5), "manual")]
    assert rows(connection, "SELECT close FROM records.candle_revisions WHERE open_time = %s", at) == [(wrong,)]
    assert rows(connection, FOUND)[0][-2:] == ("accepted", "dashboard:bob")
    assert len(rows(connection, FOUND)) == 1  # the mended bars are looked at again, and are right
    assert trace_all(database_url)["faults"] == []


def test_what_was_dismissed_is_not_proposed_again_whenever_its_bars_are_loaded(
    store: Store, connection: Connection, database_url: str
) -> None:
    load_wrong(database_url, store, (20,))
    decide(connection, accept=False)
    store(body([20], wrong=(20,)), request_key="again", fetched_at=NOW + HOUR)
    store(body(range(18, 20)), request_key="others", fetched_at=NOW + HOUR)
    connection.execute("UPDATE records.candles SET volume = volume + 1")
    connection.commit()
    load_stored(url=database_url, now=NOW + HOUR)
    assert [row[-2:] for row in rows(connection, FOUND)] == [("dismissed", "dashboard:bob")]


def test_a_repair_is_taken_back_where_the_source_corrects_itself(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    load_wrong(database_url, store, (20,))
    store(body(range(15, 25)), request_key="corrected", fetched_at=NOW + HOUR)
    load_stored(url=database_url, now=NOW + HOUR)
    assert [row[-2:] for row in rows(connection, FOUND)] == [("gone", "strades")]
    decide(connection, accept=True)
    assert carry_out_requests(database_url, sources, clock=lambda: NOW + 2 * HOUR) == {}


def test_who_accepts_while_the_source_corrects_itself_comes_first(
    store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_wrong(database_url, store, (20,))
    store(body(range(15, 25)), request_key="corrected", fetched_at=NOW + HOUR)
    compare = compare_findings

    def accepting(*findings: Any, **words: Any) -> Any:
        decide(connection, accept=True)
        return compare(*findings, **words)

    monkeypatch.setattr(discrepancies, "compare_findings", accepting)
    load_stored(url=database_url, now=NOW + HOUR)
    assert [row[-2:] for row in rows(connection, FOUND)] == [("accepted", "dashboard:bob")]


def test_a_lone_close_far_off_is_to_be_left_out(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    load_wrong(database_url, store, (20,), factor=3.0)
    [(cause, _, bars, factor, _, repair, state, _)] = rows(connection, FOUND)
    assert (cause, bars, repair, state) == ("outlier", 1, "exclusion", "open")
    assert factor == pytest.approx(3, rel=0.02)
    decide(connection, accept=True)
    [outcome] = carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR).values()
    assert outcome == "done: records.candles: 1 row left out"
    assert rows(connection, STANDS, START + timedelta(minutes=20)) == []


def test_a_run_that_grows_at_the_live_edge_is_proposed_each_time_it_doubled(
    store: Store, connection: Connection, database_url: str
) -> None:
    store(body(range(30)))
    load_stored(url=database_url, now=NOW)
    for minute in range(30, 38):
        at = NOW + timedelta(minutes=minute)
        store(body([minute], wrong=[minute]), request_key=str(minute), fetched_at=at)
        load_stored(url=database_url, now=at)
    assert [(row[2], row[-2]) for row in rows(connection, FOUND)] == [
        (1, "gone"),
        (2, "gone"),
        (4, "gone"),
        (8, "open"),
    ]


@pytest.mark.parametrize("adjustment", ["split", "raw"])
def test_a_split_that_no_source_states_is_proposed_and_accepted_takes_it_out_of_the_bars(
    store: Store, connection: Connection, database_url: str, sources: Sources, adjustment: str
) -> None:
    connection.execute(
        "INSERT INTO records.listings VALUES (%s, 'yahoo', 'NVDA', 'USD', 0.01, 1, %s, 'XNYS')",
        [int31("yahoo", "NVDA"), adjustment],
    )
    connection.commit()
    given = {**GATE, "symbol": "NVDA", "venue": "yahoo", "interval": "1d", "calendar": "XNYS"}
    days = [day for day in (datetime(2024, 5, 20) + timedelta(days=n) for n in range(40)) if day.weekday() < 5]
    closed = {datetime(2024, 5, 27), datetime(2024, 6, 19)}
    bars = []
    for place, day in enumerate(day for day in days if day not in closed):
        price = 1200.0 + place if day < datetime(2024, 6, 10) else 120.0 + place / 10  # NVIDIA's 10 for 1
        bars.append(
            {"open_time": f"{day:%Y-%m-%d}T13:30:00+00:00"}
            | {"open": str(price), "high": str(price + 1), "low": str(price - 1), "close": str(price)}
        )
    document = json.dumps({"records": bars}).encode()
    store(document, protocol="manual_candle", source="yahoo", given=given)
    load_stored(url=database_url, now=NOW)
    found = rows(connection, "SELECT cause, factor, from_time, repair, state FROM records.discrepancy_states")
    at = datetime(2024, 6, 10, 13, 30, tzinfo=UTC)
    assert found == [("split_not_applied", pytest.approx(10), at, "record", "open")]
    decide(connection, accept=True)
    [outcome] = carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR).values()
    assert outcome.startswith("done: records.corporate_actions: 1 new, 0 revised")
    before = "SELECT min(close) FROM records.adjusted_candles WHERE open_time < %s"
    assert rows(connection, before, at) == [(120.0 if adjustment == "split" else 1200.0,)]
    assert rows(connection, "SELECT max(close) > 1200 FROM records.candles") == [(True,)]  # as its bytes say
    connection.execute("UPDATE records.candles SET volume = 1")
    connection.commit()
    load_stored(url=database_url, now=NOW + 2 * HOUR)
    assert [row[-2] for row in rows(connection, FOUND)] == ["accepted"]  # the split explains it: no second proposal


def test_a_look_costs_what_changed_and_a_killed_one_is_made_up_for(
    store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(body(range(3000)))
    load_stored(url=database_url, now=NOW)
    read = []
    judge = find_outliers

    def counting(prices: Any, *, may_split: bool) -> Any:
        read.append(prices.shape[1])
        return judge(prices, may_split=may_split)

    monkeypatch.setattr(discrepancies, "find_outliers", counting)
    store(body([3000], wrong=[3000]), request_key="2", fetched_at=NOW + HOUR)
    with monkeypatch.context() as broken:
        broken.setattr(discrepancies, "propose_repair", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            load_stored(url=database_url, now=NOW + HOUR)
    assert rows(connection, FOUND) == []
    assert load_stored(url=database_url, now=NOW + HOUR).discrepancies == 1  # nothing new: the mark was still there
    assert load_stored(url=database_url, now=NOW + HOUR).discrepancies == 0
    assert read == [256, 256]  # the new bar, five before, and 250 that say what is usual
    assert rows(connection, "SELECT count(*) FROM ops.changed_rows WHERE reader = 'records.discrepancies'") == [(0,)]


def test_a_stream_s_batch_leaves_the_look_to_the_next_load(
    store: Store, connection: Connection, database_url: str
) -> None:
    store(body(range(3001), wrong=[3000]))
    with closing(LoaderConnections(database_url)) as connections:
        assert load_stored(now=NOW, connections=connections).discrepancies == 0
    assert rows(connection, FOUND) == []
    assert load_stored(url=database_url, now=NOW).discrepancies == 1


def test_findings_beyond_those_that_may_be_open_wait_for_room(
    store: Store, connection: Connection, database_url: str
) -> None:
    wrong = range(40, 40 + 20 * 80, 20)
    store(body([minute for minute in range(2000) if minute not in wrong]))
    store(body(wrong, wrong=wrong), request_key="wrong", fetched_at=NOW + HOUR)
    found = []
    for _ in range(2):
        found += [load_stored(url=database_url, now=NOW + HOUR).discrepancies for _ in range(2)]
        decide(connection, accept=False)
    assert (found, load_stored(url=database_url, now=NOW + HOUR).discrepancies) == ([50, 0, 30, 0], 0)
    assert rows(connection, "SELECT count(DISTINCT from_time) FROM records.discrepancies") == [(80,)]


@pytest.mark.parametrize(("first", "proposed"), [(0, []), (1000, [(1000, 1000)])])
def test_a_run_is_proposed_whole_or_where_it_may_be_a_change_of_unit_not_at_all(
    store: Store, connection: Connection, database_url: str, first: int, proposed: list[tuple[int, int]]
) -> None:
    """What is loaded around the bars to 1999 is a hundredth of them, so that a window is mostly of that."""
    store(body(range(first, 2000)))
    load_stored(url=database_url, now=NOW)
    others = [*range(first), *range(2000, 5000)]
    store(body(others, wrong=others, factor=0.01), request_key="others")
    load_stored(url=database_url, now=NOW + HOUR)
    query = "SELECT extract(epoch FROM from_time - %s)::integer / 60, bars FROM records.discrepancies"
    assert rows(connection, query, START) == proposed


def test_a_bar_below_zero_hides_nothing_and_takes_nothing_back(
    store: Store, connection: Connection, database_url: str
) -> None:
    load_wrong(database_url, store, (20,))
    at = START + timedelta(minutes=50)
    negative = "UPDATE records.candles SET low = -1, open = -0.5, close = -0.5 WHERE open_time >= %s AND open_time < %s"
    connection.execute(negative, [at, at + timedelta(minutes=1)])
    connection.commit()
    store(body([60], wrong=[60]), request_key="more", fetched_at=NOW + HOUR)
    load_stored(url=database_url, now=NOW + HOUR)
    assert [(row[2], row[-2]) for row in rows(connection, FOUND)] == [(1, "open"), (1, "open")]
    connection.execute(negative, [START + timedelta(minutes=21), at])  # too few are left to judge by
    connection.execute("DELETE FROM records.candles WHERE open_time < %s", [START + timedelta(minutes=18)])
    connection.commit()
    load_stored(url=database_url, now=NOW + HOUR)
    assert [row[-2] for row in rows(connection, FOUND)] == ["open", "open"]
