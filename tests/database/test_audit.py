"""What was done to accounts is only added to, and a row that was edited, removed or put in shows."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.audit import verify_account_changes
from strades_pipelines.database.connection import connect
from strades_pipelines.database.roles import DASHBOARD_ROLE

ADD = """
    INSERT INTO audit.account_changes (changed_at, changed_by, person_id, change, address)
    VALUES ('2024-01-02T03:04:05.6Z', %s, 7, %s, '::1')
"""
PUT_IN = """
    INSERT INTO audit.account_changes
    SELECT sequence + 1, changed_at, changed_by, person_id, 'role: admin', address, recorded_at, hash, repeat('a', 64)
    FROM audit.account_changes WHERE sequence = {after}
"""


@pytest.fixture
def dashboard(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the dashboard to a database with three changes."""
    with connect(database_url, role=DASHBOARD_ROLE) as opened:
        opened.autocommit = True
        for change in ("made as viewer", "role: trader", "password changed"):
            opened.execute(ADD, ["é da", change])
        yield opened


def test_the_database_chains_what_the_dashboard_adds(dashboard: psycopg.Connection[Any]) -> None:
    report = verify_account_changes(dashboard)
    assert (report.rows, report.faults) == (3, ())
    last = dashboard.execute("SELECT hash, recorded_at FROM audit.account_changes ORDER BY sequence").fetchall()
    assert report.head == last[-1][0]
    assert report.since == last[0][1]


@pytest.mark.parametrize("statement", [
    "UPDATE audit.account_changes SET change = 'x'",
    "DELETE FROM audit.account_changes",
    "TRUNCATE audit.account_changes",
    "UPDATE audit.head SET sequence = 0",
    "ALTER TABLE audit.account_changes DISABLE TRIGGER ALL",
    "DROP TABLE audit.account_changes",
    "INSERT INTO audit.account_changes (sequence, changed_at, changed_by, person_id, change, hash) "
    "VALUES (9, now(), 'eve', 1, 'x', 'x')",
])  # fmt: skip
def test_nobody_changes_a_row_with_the_rights_of_the_pages_and_the_owner_not_by_mistake(
    dashboard: psycopg.Connection[Any], database_url: str, statement: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET SESSION AUTHORIZATION strades_dashboard")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)
    if statement.startswith(("UPDATE audit.account", "DELETE", "TRUNCATE")):
        with connect(database_url) as owner, pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            owner.execute(statement)


@pytest.mark.parametrize(("statements", "fault"), [
    (["UPDATE audit.account_changes SET change = 'role: admin' WHERE sequence = 2"], "row 2 .* its hash is another"),
    (["UPDATE audit.account_changes SET recorded_at = recorded_at - interval '1 s' WHERE sequence = 1"], "row 1 "),
    (["UPDATE audit.account_changes SET address = NULL WHERE sequence = 3"], "row 3 "),
    (["DELETE FROM audit.account_changes WHERE sequence = 1"], "row 2 .* follows row 0"),
    (["DELETE FROM audit.account_changes WHERE sequence = 2"], "row 3 .* follows row 1: rows between are gone"),
    (["DELETE FROM audit.account_changes WHERE sequence = 3"], "ends at row 2, its head is at row 3"),
    (["DELETE FROM audit.account_changes"], "ends at row 0, its head is at row 3"),
    (["DELETE FROM audit.head"], "its head is gone"),
    ([PUT_IN.format(after=3)], "row 4 .* its hash is another"),
    (
        ["UPDATE audit.account_changes SET sequence = 4 WHERE sequence = 3", PUT_IN.format(after=2)],
        "row 4 .* does not follow the one before",
    ),
])  # fmt: skip
def test_what_the_owner_of_the_table_touched_is_found(
    dashboard: psycopg.Connection[Any], database_url: str, statements: list[str], fault: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")  # no trigger stands in the way
        for statement in statements:
            owner.execute(statement)
    report = verify_account_changes(dashboard)
    assert any(re.search(fault, line) for line in report.faults), report.faults


@pytest.mark.parametrize(("newest", "read", "faults_of_row_1", "faults_of_row_2"), [
    (2, 2, 0, 1),  # rows 2 and 3: what was done to row 1 is not looked at
    (3, 3, 1, 1),
    (4, 3, 1, 1),
    (None, 3, 1, 1),
])  # fmt: skip
def test_the_newest_rows_are_verified_without_those_before(
    dashboard: psycopg.Connection[Any],
    database_url: str,
    newest: int | None,
    read: int,
    faults_of_row_1: int,
    faults_of_row_2: int,
) -> None:
    report = verify_account_changes(dashboard, newest)
    assert (report.rows, report.faults, report.is_partial) == (read, (), read < 3)
    first = dashboard.execute("SELECT recorded_at FROM audit.account_changes ORDER BY sequence").fetchall()[3 - read]
    assert report.since == first[0]
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        for sequence, faults in ((1, faults_of_row_1), (2, faults_of_row_1 + faults_of_row_2)):
            owner.execute("UPDATE audit.account_changes SET change = 'x' WHERE sequence = %s", [sequence])
            assert len(verify_account_changes(dashboard, newest).faults) == faults
        owner.execute("DELETE FROM audit.account_changes WHERE sequence < 3")
    assert len(verify_account_changes(dashboard, newest).faults) == 1  # fewer rows than asked for: the first are gone


def test_two_at_once_are_in_line(database_url: str) -> None:
    def add_many(name: str) -> None:
        with connect(database_url, role=DASHBOARD_ROLE) as opened:
            opened.autocommit = True
            for number in range(50):
                opened.execute(ADD, [name, f"change {number}"])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add_many, ["ada", "bob"]))
    with connect(database_url) as connection:
        report = verify_account_changes(connection)
    assert (report.rows, report.faults) == (100, ())


def test_what_is_rolled_back_leaves_no_gap(dashboard: psycopg.Connection[Any]) -> None:
    with dashboard.transaction(force_rollback=True):
        dashboard.execute(ADD, ["ada", "never"])
    dashboard.execute(ADD, ["ada", "role: viewer"])
    assert verify_account_changes(dashboard).faults == ()


@pytest.mark.parametrize("text", ["", "a\x1fb", "a\nb", "x" * 101])
def test_a_text_that_could_stand_for_two_columns_is_refused(dashboard: psycopg.Connection[Any], text: str) -> None:
    for row in ([text, "x"], ["x", text]):
        with pytest.raises(psycopg.errors.CheckViolation):
            dashboard.execute(ADD, row)
