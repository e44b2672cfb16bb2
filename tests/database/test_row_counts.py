"""Small tables are counted, large ones estimated, whatever was written since the last ANALYZE."""

from typing import Any

import psycopg
import pytest

from strades_pipelines.database import row_counts
from strades_pipelines.database.row_counts import count_rows

LARGE = 400_000


def fill(connection: psycopg.Connection[Any], rows: int) -> None:
    """Add rows to a table of this test."""
    connection.execute("CREATE TABLE IF NOT EXISTS public.counted (number integer)")
    connection.execute("INSERT INTO public.counted SELECT generate_series(1, %s)", [rows])


def test_a_small_table_is_counted(connection: psycopg.Connection[Any]) -> None:
    fill(connection, 1234)
    assert count_rows(connection, "public.counted") == 1234


def test_a_large_table_is_estimated_also_after_it_grew_and_not_read(connection: psycopg.Connection[Any]) -> None:
    fill(connection, LARGE)
    connection.execute("ANALYZE public.counted")
    fill(connection, LARGE)
    assert count_rows(connection, "public.counted") == pytest.approx(2 * LARGE, rel=0.02)
    connection.execute("DELETE FROM public.counted")  # the pages stay until VACUUM: an estimate, then, and no count
    assert count_rows(connection, "public.counted") > LARGE


def test_a_table_that_is_not_there_has_no_rows(connection: psycopg.Connection[Any]) -> None:
    assert count_rows(connection, "cleaned.nothing") == 0


def test_a_table_with_partitions_is_estimated_by_all_of_them(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("CREATE TABLE public.parted (number integer) PARTITION BY RANGE (number)")
    connection.execute("CREATE TABLE public.parted_first PARTITION OF public.parted FOR VALUES FROM (0) TO (3000)")
    connection.execute("CREATE TABLE public.parted_default PARTITION OF public.parted DEFAULT")
    connection.execute("INSERT INTO public.parted SELECT generate_series(1, 10000)")
    connection.execute("ANALYZE public.parted")
    monkeypatch.setattr(row_counts, "COUNTED", 9_000)
    connection.execute("DELETE FROM public.parted")  # a count would say 0
    assert count_rows(connection, "public.parted") == 10_000
