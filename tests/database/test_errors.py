"""Errors of the database tell their cause; the texts are as the drivers write them."""

import pytest

from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.errors import DISK_FULL, cause

INSERT = "INSERT INTO records.candles (listing_id, open_time) SELECT listing_id, open_time FROM pg_temp.frame " * 8


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"IO: Failed to execute query '{INSERT}': ERROR:  could not extend file: No space left on device", DISK_FULL),
        ('could not extend file "base/5/1":\nNo space left on device\nHINT:  Check free disk space.', DISK_FULL),
        (
            "(psycopg2.errors.X) no such table\n[SQL: SELECT 1]\n(Background on this error)",
            "(psycopg2.errors.X) no such table",
        ),
        ("expected a number,\n was text", "expected a number, was text"),
    ],
)
def test_the_cause_is_told_in_one_line(text: str, line: str) -> None:
    assert cause(text) == line


def test_the_statement_of_a_real_adbc_error_is_left_out(database_url: str) -> None:
    with (
        adbc_connect(database_url) as connection,
        connection.cursor() as cursor,
        pytest.raises(Exception, match="no_such_table") as raised,
    ):
        cursor.execute("SELECT " + "1, " * 300 + "2 FROM no_such_table")
    assert cause(str(raised.value)) == 'ERROR: relation "no_such_table" does not exist'
