"""Counters are read with all that was done before, whoever did it."""

import psycopg
import pytest

from strades_pipelines.database.connection import connect
from tests.database import table_counters
from tests.database.table_counters import read_counters

COUNTED = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = 'ops.stale'::regclass"
WRITE = "INSERT INTO ops.stale (relation, listing_id, days) VALUES ('x', 1, '[2024-03-01,2024-03-02)')"


def test_what_an_idle_connection_keeps_back_is_counted(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as reader:
        (before,) = reader.execute(COUNTED).fetchall()[0]
    with connect(database_url) as idle:
        for _ in range(3):
            idle.execute(WRITE)
            idle.commit()
        [(after,)] = read_counters(database_url, COUNTED, idle)
    assert after == before + 3


def test_what_a_connection_did_that_was_closed_just_now_is_counted(database_url: str) -> None:
    [(before,)] = read_counters(database_url, COUNTED)
    for _ in range(5):
        with connect(database_url) as closed:
            closed.execute(WRITE)
    assert read_counters(database_url, COUNTED) == [(before + 5,)]


def test_a_connection_that_nobody_named_is_an_error(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_counters, "PATIENCE_SECONDS", 0.1)
    with connect(database_url), pytest.raises(AssertionError, match="1 connections are open, 0 were expected"):
        read_counters(database_url, COUNTED)
