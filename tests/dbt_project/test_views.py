"""Views are made anew only when their query has changed: what reads from them is never without them."""

import psycopg

from tests.dbt_project.building import rows, run_dbt

NAMES = "'stg_records__listings', 'markets'"
VIEWS = f"SELECT oid::regclass::text, oid FROM pg_class WHERE relkind = 'v' AND relname IN ({NAMES})"


def test_a_view_stays_until_its_query_changes(database_url: str) -> None:
    run_dbt(database_url, ("run", "--select", "+markets"))
    before = dict(rows(database_url, VIEWS))
    run_dbt(database_url, ("run", "--select", "stg_records__listings"))
    assert dict(rows(database_url, VIEWS)) == before
    with psycopg.connect(database_url) as connection:
        connection.execute("COMMENT ON VIEW cleaned.markets IS 'query of another version'")
    run_dbt(database_url, ("run", "--select", "+markets"))
    after = dict(rows(database_url, VIEWS))
    assert {name for name in after if after[name] != before[name]} == {"cleaned.markets"}
