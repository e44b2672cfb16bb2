from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pytest

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.bulk import NOTHING, Loaded, load

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

FIRST = datetime(2026, 1, 2, tzinfo=UTC)
SECOND = datetime(2026, 1, 3, tzinfo=UTC)


def rates(*values: float, fetch_id: int = 1, recorded_at: datetime = FIRST) -> pa.Table:
    days = [datetime(2025, 1, day + 1, tzinfo=UTC) for day in range(len(values))]
    time = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "series": ["ECB:USD"] * len(values),
            "event_time": pa.array(days, time),
            "value": list(values),
            "unit": ["USD per EUR"] * len(values),
            "knowledge_time": pa.array([day.replace(hour=15) for day in days], time),
            "knowledge_basis": ["assumed"] * len(values),
            "fetch_id": pa.array([fetch_id] * len(values), pa.int64()),
            "recorded_at": pa.array([recorded_at] * len(values), time),
        }
    )


def put(adbc: "AdbcConnection", rows: pa.Table, now: datetime = FIRST, *, single_writer: bool = False) -> Loaded:
    with adbc.cursor() as cursor:
        loaded = load(
            cursor,
            "records.observations",
            rows,
            key=["series", "event_time"],
            now=now,
            revisions="records.observation_revisions",
            single_writer=single_writer,
        )
    adbc.commit()
    return loaded


@pytest.mark.parametrize("single_writer", [False, True])
def test_the_same_rows_again_write_nothing(adbc: "AdbcConnection", *, single_writer: bool) -> None:
    assert put(adbc, rates(1.1, 1.2), single_writer=single_writer) == Loaded(2, 0, 0)
    again = rates(1.1, 1.2, fetch_id=2, recorded_at=SECOND)
    assert put(adbc, again, SECOND, single_writer=single_writer) == Loaded(0, 0, 2)


@pytest.mark.parametrize("single_writer", [False, True])
def test_new_rows_before_among_and_after_stored_ones_are_added_and_the_changed_one_revised(
    adbc: "AdbcConnection", connection: psycopg.Connection, *, single_writer: bool
) -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    frame = rates(*values)
    for row, loaded in ((3, Loaded(1, 0, 0)), (1, Loaded(1, 0, 0)), (2, Loaded(1, 0, 0)), (2, Loaded(0, 0, 1))):
        assert put(adbc, frame.slice(row, 1), single_writer=single_writer) == loaded
    values[2] = 3.5
    assert put(adbc, rates(*values, recorded_at=SECOND), SECOND, single_writer=single_writer) == Loaded(4, 1, 2)
    stored = connection.execute("SELECT value, recorded_at FROM records.observations ORDER BY event_time").fetchall()
    assert stored == [(value, FIRST if value in (2.0, 4.0) else SECOND) for value in values]
    assert connection.execute("SELECT value FROM records.observation_revisions").fetchall() == [(3.0,)]


def test_each_series_is_looked_for_in_its_own_stretch(adbc: "AdbcConnection") -> None:
    frame = rates(1.0, 2.0, 3.0)
    other = frame.set_column(0, "series", pa.array(["it's"] * 3))
    put(adbc, other.slice(1, 1), single_writer=True)
    assert put(adbc, pa.concat_tables([frame, other]), single_writer=True) == Loaded(5, 0, 1)


def test_a_frame_whose_text_is_cast_and_whose_time_of_recording_is_missing(
    adbc: "AdbcConnection", connection: psycopg.Connection
) -> None:
    frame = rates(1.0).drop_columns(["recorded_at"])
    texts = frame.set_column(2, "value", pa.array(["1.5"]))
    assert put(adbc, texts, SECOND, single_writer=True) == Loaded(1, 0, 0)
    assert connection.execute("SELECT value, recorded_at FROM records.observations").fetchall() == [(1.5, SECOND)]


def test_a_changed_value_keeps_its_old_version(adbc: "AdbcConnection", connection: psycopg.Connection) -> None:
    put(adbc, rates(1.1, 1.2))
    assert put(adbc, rates(1.1, 1.3, fetch_id=2, recorded_at=SECOND), SECOND) == Loaded(0, 1, 1)
    revision = connection.execute(
        "SELECT value, fetch_id, recorded_at, superseded_at FROM records.observation_revisions"
    ).fetchall()
    assert revision == [(1.2, 1, FIRST, SECOND)]


def test_a_read_as_recorded_before_a_revision_gives_the_old_value(adbc: "AdbcConnection") -> None:
    put(adbc, rates(1.1, 1.2))
    put(adbc, rates(1.1, 1.3, recorded_at=SECOND), SECOND)
    with adbc.cursor() as cursor:
        for recorded_as_of, expected in ((None, [1.1, 1.3]), (FIRST, [1.1, 1.2]), (SECOND, [1.1, 1.3])):
            rows = read_as_of(cursor, "records.observations", ["value"], known_at=SECOND, recorded_as_of=recorded_as_of)
            assert rows["value"].to_pylist() == expected


def test_a_read_gives_nothing_that_was_not_known_yet(adbc: "AdbcConnection") -> None:
    put(adbc, rates(1.1, 1.2))
    at = datetime(2025, 1, 2, 15, tzinfo=UTC)  # what is known at this very instant is known
    for known_at, expected in ((at - timedelta(microseconds=1), [1.1]), (at, [1.1, 1.2])):
        with adbc.cursor() as cursor:
            rows = read_as_of(cursor, "records.observations", ["value"], known_at=known_at)
        assert rows["value"].to_pylist() == expected


def test_a_naive_time_is_refused(adbc: "AdbcConnection") -> None:
    with adbc.cursor() as cursor, pytest.raises(ValueError, match="expected an aware time"):
        read_as_of(cursor, "records.observations", ["value"], known_at=datetime(2025, 1, 2))


def test_an_empty_frame_is_nothing(adbc: "AdbcConnection") -> None:
    assert put(adbc, rates()) == NOTHING
