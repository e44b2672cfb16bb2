import psycopg

from strades_pipelines.database.tables import EVERYWHERE, column_descriptions, table_columns

ACTUAL = """
    SELECT attname::text, attnotnull FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def test_every_table_is_described_as_the_database_has_it(connection: psycopg.Connection) -> None:
    described = table_columns()
    made = connection.execute(
        "SELECT schemaname || '.' || tablename FROM pg_tables "
        "WHERE tableowner = 'strades_app' AND schemaname <> 'public' "
        "AND format('%I.%I', schemaname, tablename)::regclass NOT IN (SELECT inhrelid FROM pg_inherits)"  # partitions
    ).fetchall()
    revisions = {
        "records.candle_revisions",
        "records.trade_revisions",
        "records.trade_bar_revisions",
        "records.quote_revisions",
        "records.observation_revisions",
        "records.corporate_action_revisions",
        "records.article_revisions",
        "records.document_revisions",
    }
    assert {name for (name,) in made} - revisions == set(described) - revisions
    for table in set(described) - revisions:
        actual = [(name, not_null) for name, not_null in connection.execute(ACTUAL, [table])]
        assert [(column.name, not column.nullable) for column in described[table]] == actual, table


def test_every_column_is_described_and_no_description_is_of_a_column_that_is_gone() -> None:
    tables = table_columns()
    computed = {"features.daily", "features.alpha158"}  # their formulas are in the predictor's registry
    missing = [
        f"{table}.{column.name}"
        for table, columns in tables.items()
        for column in columns
        if not column.comment and table not in computed
    ]
    assert missing == [], "say what they are: beside the column in its migration, or in column_descriptions.toml"
    names = {table: {column.name for column in columns} for table, columns in tables.items()}
    names[EVERYWHERE] = set().union(*names.values())
    gone = {
        f"{section}.{name}"
        for section, columns in column_descriptions().items()
        for name in columns
        if name not in names.get(section, ())
    }
    assert gone == set()
