"""Hashes over whole tables, to show that two runs, or two databases, hold the same."""

import hashlib

import psycopg
from psycopg import sql

from strades_pipelines.database.connection import connect

# Bookkeeping of the attempts, not data: a killed and repeated run asks some things twice. Accounts of people are none
# of the data either, and only the dashboard's own role reads them.
LOGS = (
    "ops",
    "public",
    "dashboard",
    "audit",
    "records.discrepancies",  # which look found what, and when
    "rawsources.fetches",
    "rawsources.frames",
    "rawsources.protocols_storage",
    "rawsources.live_scrapper_logs_info",
    # Which transaction changed what, where a stepping may go on from, and by which run a report was made.
    "trading.input_changes",
    "trading.wallet_checkpoints",
    "trading.contexts",
)
TABLES = """
    SELECT n.nspname, c.relname FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2
"""


def table_hashes(url: str | None = None, *, snapshot: str | None = None) -> dict[str, str]:
    """SHA-256 of every table's rows in text form and sorted, but for `ops` and the logs of attempts.

    A table with a partition for each month is one table here, however its rows are spread. Rows of cold months are not
    in it: those are told by `records.cold_months`, which has the hash of each month's rows.

    Args:
        snapshot: of `pg_export_snapshot()`: what is hashed is what its transaction sees.
    """
    with connect(url) as connection:
        if snapshot is not None:
            # Only a transaction of this level takes over a snapshot, and only before its first query.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        tables = [(schema, name) for schema, name in connection.execute(TABLES)]
        kept = [pair for pair in tables if pair[0] not in LOGS and ".".join(pair) not in LOGS]
        return {f"{schema}.{name}": _hash(connection, schema, name) for schema, name in kept}


def _hash(connection: psycopg.Connection, schema: str, name: str) -> str:
    digest = hashlib.sha256()
    # Sorted by hash: its digits sort alike under every collation, which texts do not.
    query = sql.SQL("COPY (SELECT md5(t::text) FROM {} AS t ORDER BY 1) TO STDOUT").format(sql.Identifier(schema, name))
    with connection.cursor().copy(query) as rows:
        for row in rows:
            digest.update(row)
    return digest.hexdigest()
