"""Statements that go over with their commit: all of them, or none."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from strades_pipelines.database.connection import connect
from strades_pipelines.database.pipelining import commit_lazily, commit_together


@pytest.fixture
def table(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as connection:
        connection.execute("SET synchronous_commit = on")  # the tests' server has it off
        connection.execute("CREATE TEMPORARY TABLE numbers (n integer PRIMARY KEY)")
        connection.commit()
        yield connection


def numbers(connection: psycopg.Connection) -> list[int]:
    """What is stored: a transaction that is open is undone."""
    connection.rollback()
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]


@pytest.mark.parametrize("is_lazy", [False, True])
def test_a_block_is_committed_and_its_results_are_there(table: psycopg.Connection, is_lazy: bool) -> None:
    with commit_together(table, is_lazy=is_lazy):
        table.execute("INSERT INTO numbers VALUES (1)")
        found = table.execute("SELECT n, current_setting('synchronous_commit') FROM numbers")
    assert found.fetchall() == [(1, "off" if is_lazy else "on")]
    assert table.info.transaction_status is TransactionStatus.IDLE
    assert numbers(table) == [1]
    assert table.execute("SELECT current_setting('synchronous_commit')").fetchone() == ("on",)


def test_a_transaction_that_is_open_is_committed_too(table: psycopg.Connection) -> None:
    table.execute("INSERT INTO numbers VALUES (1)")
    commit_lazily(table)
    assert numbers(table) == [1]


def add(connection: psycopg.Connection, *divisors: int) -> None:
    """Store how often each goes into six."""
    with commit_together(connection):
        for divisor in divisors:
            connection.execute("INSERT INTO numbers VALUES (%s)", [6 // divisor])


@pytest.mark.parametrize(("divisors", "error"), [((2, 6), psycopg.errors.UniqueViolation), ((2, 0), ZeroDivisionError)])
def test_where_a_statement_or_the_block_fails_nothing_of_the_transaction_is_committed(
    divisors: tuple[int, ...], error: type[Exception], table: psycopg.Connection
) -> None:
    table.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(error):
        add(table, *divisors)
    assert numbers(table) == []
