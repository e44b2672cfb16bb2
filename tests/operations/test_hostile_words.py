"""SQL in the words of a command is a value or refused: it finds nothing and changes nothing."""

from typing import Any

import psycopg
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.definitions import defs
from strades_pipelines.lineage.row_lineage import NotFound
from strades_pipelines.lineage.trace import trace_one
from strades_pipelines.operations.backfilling import chosen
from strades_pipelines.operations.gaps import read_gaps
from strades_pipelines.operations.revisions import read_revisions
from tests.operations.test_reading import ledger  # noqa: F401

Connection = psycopg.Connection[Any]
WORDS = (
    "' OR '1'='1",
    "' OR 1=1 --",
    "x'; DROP TABLE records.listings CASCADE; --",
    'x"; DROP SCHEMA records CASCADE; --',
    "x'; COPY (SELECT 1) TO PROGRAM 'id'; --",
    "\\'; SELECT pg_sleep(60); --",
    "$$; RESET ROLE; $$",
    "%s",
    "%(listings)s",
    "{}",
    "%",
    "1); DELETE FROM cleaned.gaps; --",
    "../../etc/passwd",
)
TABLES = """
    SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""


def row_counts(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    counts = {}
    for (name,) in connection.execute(TABLES).fetchall():
        [counts[name]] = connection.execute(f"SELECT count(*) FROM {name}").fetchone() or (0,)
    return counts


def test_no_word_is_read_as_sql(ledger: Connection, database_url: str) -> None:  # noqa: F811
    before, graph = row_counts(ledger), defs().resolve_asset_graph()
    assert before["cleaned.gaps"] == before["records.listings"] == 2
    for word in WORDS:
        assert read_gaps(ledger, None, None, word) == {"gaps": [], "missing": {}}
        assert read_gaps(ledger, None, word, None) == {"gaps": [], "missing": {}}
        with pytest.raises(BadInput, match="--instrument: expected one of"):
            read_gaps(ledger, word, None, None)
        with pytest.raises(BadInput, match="--instrument: expected one of"):
            read_revisions(ledger, instrument=word)
        with pytest.raises(BadInput, match="--kind: expected one of"):
            read_revisions(ledger, kind=word)
        with pytest.raises(NotFound, match="expected the id of"):
            trace_one(word, database_url)
        for keys, layer in (([word], None), ([f"records/{word}"], None), ([], word)):
            with pytest.raises(BadInput, match="expected"):
                chosen(graph, keys, layer)
    assert row_counts(ledger) == before
