import psycopg

from strades_pipelines.database.fingerprint import table_hashes

LISTING = "INSERT INTO records.listings VALUES (%s, 'yahoo', %s, 'USD', 0.01, 1, 'split', 'XNYS', NULL, NULL)"


def test_the_order_of_rows_does_not_matter_and_a_changed_value_does(
    database_url: str, connection: psycopg.Connection
) -> None:
    empty = table_hashes(database_url)
    hashes = []
    for rows in ([(1, "AAPL"), (2, "IBM")], [(2, "IBM"), (1, "AAPL")], [(1, "AAPL"), (2, "ibm")]):
        connection.execute("TRUNCATE records.listings CASCADE")
        for row in rows:
            connection.execute(LISTING, row)
        connection.commit()
        hashes.append(table_hashes(database_url))
    assert hashes[0] == hashes[1]
    assert {table for table in empty if hashes[1][table] != hashes[2][table]} == {"records.listings"}


def test_the_logs_of_attempts_are_left_out(database_url: str) -> None:
    hashed = table_hashes(database_url)
    assert "rawsources.bodies" in hashed
    assert not {table for table in hashed if table.startswith("ops.") or table == "rawsources.fetches"}
