"""What an archive may hold: the entries of a world, and no code but what our own migrations make."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from strades_pipelines.database.backup import (
    BackupError,
    BackupFailed,
    call_tool,
    first_error,
)
from strades_pipelines.database.connection import (
    database_url,
    session_url,
)
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.roles import (
    create_database,
    drop_database,
)

# Entries of an archive that a world's database has; extensions, types, rules and the like are none of them.
KINDS = (
    "TABLE DATA", "TABLE ATTACH", "TABLE", "SCHEMA", "SEQUENCE SET", "SEQUENCE OWNED BY", "SEQUENCE", "INDEX ATTACH",
    "INDEX", "CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "VIEW", "DEFAULT ACL", "DEFAULT", "ACL", "COMMENT",
    "FUNCTION", "TRIGGER", "POLICY", "ROW SECURITY",
)  # fmt: skip
ENTRY = re.compile(rf"\d+; \d+ \d+ (?:{'|'.join(KINDS)}) ")
# What SQL in an archive may have made beside tables, sequences, indexes and views, whatever its entry is called; with
# the definition of what the migrations make, so that only the very same passes.
CODE = """
    SELECT 'function ' || oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc
        WHERE oid >= 16384 AND prokind IN ('f', 'p')
    UNION ALL SELECT 'aggregate ' || proname, '' FROM pg_proc WHERE oid >= 16384 AND prokind NOT IN ('f', 'p')
    UNION ALL SELECT 'trigger ' || t.tgname, t.tgenabled::text || pg_get_triggerdef(t.oid) FROM pg_trigger AS t
        LEFT JOIN pg_trigger AS p ON p.oid = t.tgparentid
        WHERE NOT t.tgisinternal AND t.tgenabled IS DISTINCT FROM p.tgenabled  -- a month's partition has its table's
    UNION ALL SELECT 'rule ' || rulename, '' FROM pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN'
    UNION ALL SELECT 'policy ' || polname || ' on ' || polrelid::regclass, concat_ws(
            ' ', polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), 'check',
            pg_get_expr(polwithcheck, polrelid)
        ) FROM pg_policy
    UNION ALL SELECT 'event trigger ' || evtname, '' FROM pg_event_trigger
    UNION ALL SELECT 'extension ' || extname, '' FROM pg_extension WHERE oid >= 16384
    UNION ALL SELECT 'language ' || lanname, '' FROM pg_language WHERE oid >= 16384
    UNION ALL SELECT 'operator ' || oprname, '' FROM pg_operator WHERE oid >= 16384
    UNION ALL SELECT 'operator class ' || opcname, '' FROM pg_opclass WHERE oid >= 16384
    UNION ALL SELECT 'cast to ' || casttarget::regtype::text, '' FROM pg_cast WHERE oid >= 16384
    UNION ALL SELECT 'type ' || typname, '' FROM pg_type WHERE oid >= 16384 AND typtype <> 'c' AND typcategory <> 'A'
    UNION ALL SELECT 'relation ' || relname, '' FROM pg_class WHERE oid >= 16384
        AND relkind NOT IN ('r', 'i', 'S', 'v', 't')
    UNION ALL SELECT 'foreign server ' || srvname, '' FROM pg_foreign_server
    UNION ALL SELECT 'publication ' || pubname, '' FROM pg_publication
    UNION ALL SELECT 'large object ' || oid::text, '' FROM pg_largeobject_metadata
    UNION ALL SELECT 'setting of the database', '' FROM pg_db_role_setting AS s
        INNER JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname = current_database()
    ORDER BY 1
"""
# What keeps rows as they must be, in tables that the migrations make: an archive can leave it out.
RULES = """
    SELECT 'constraint ' || conname || ' of ' || conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE oid >= 16384 AND conrelid <> 0 AND contype <> 'n'  -- of NOT NULL, pg_dump keeps no name
        AND conparentid = 0  -- nor of a partition's, which its table makes
    UNION ALL SELECT 'index ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index AS i
        INNER JOIN pg_class AS c ON c.oid = i.indrelid
        WHERE i.indisunique AND c.oid >= 16384 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    UNION ALL SELECT 'row security of ' || oid::regclass, '' FROM pg_class WHERE oid >= 16384 AND relrowsecurity
    UNION ALL SELECT 'options of ' || oid::regclass, reloptions::text FROM pg_class
        WHERE oid >= 16384 AND relkind = 'v' AND reloptions IS NOT NULL
"""
# dbt's table of daily bars has triggers that functions of the migrations make (models/cleaned/daily_bars.yml), and its
# marts with wallets have row security (macros/guard_wallets.sql).
WATCHED = (
    "CREATE TABLE cleaned.daily_bars ()",
    "SELECT predictions.watch_daily_bars()",
    "SELECT trading.watch_daily_bars()",
    "CREATE TABLE marts.lineage_nodes (wallet text)",
    "SELECT trading.guard_wallets('marts.lineage_nodes')",
    "CREATE TABLE marts.lineage_edges (wallet text)",
    "SELECT trading.guard_wallets('marts.lineage_edges')",
)

UNCHANGED = "the world is as it was"


def check_entries(file: Path) -> None:
    """Refuse an archive with entries that no world has; before anything of it runs."""
    listed = call_tool("pg_restore", ["--list", str(file)], "")
    if listed.returncode:
        raise BackupFailed(f"pg_restore failed: {first_error(listed.stderr)}")
    entries = [line for line in listed.stdout.splitlines() if line and not line.startswith(";")]
    foreign = [entry for entry in entries if not ENTRY.match(entry)]
    if foreign:
        raise BackupError(f"{file}: expected only entries of a world, was also {foreign[0]!r}; {UNCHANGED}")


class MigratedDefinitions(NamedTuple):
    """What the migrations make, as pairs of name and definition."""

    code: set[tuple[str, str]]
    rules: set[tuple[str, str]]
    of_tables_of_dbt: set[tuple[str, str]]  # once dbt has made them


def read_migrated_definitions(server: psycopg.Connection[Any], name: str, world: str) -> MigratedDefinitions:
    """The functions, triggers and constraints that our migrations make, read from a database made for that."""
    create_database(server, name)
    migrate(database_url(name), world=world)
    url = database_url(name)
    code, rules = read_definitions(url, CODE), read_definitions(url, RULES)
    with psycopg.connect(session_url(url)) as connection:
        for statement in WATCHED:
            connection.execute(statement)
    known = MigratedDefinitions(code, rules, read_definitions(url, CODE) - code)
    drop_database(server, name)
    return known


def check_nothing_is_missing(file: Path, url: str, known: MigratedDefinitions) -> None:
    """Refuse a schema without a trigger, function, constraint or unique index that the migrations make."""
    found = read_definitions(url, CODE) | read_definitions(url, RULES)
    if missing := sorted((known.code | known.rules) - found):
        raise BackupError(f"{file}: expected all that the migrations make, lacked {missing[0][0]}; {UNCHANGED}")


def read_definitions(url: str, query: str) -> set[tuple[str, str]]:
    # So that nothing in the database can stand before PostgreSQL's own functions and tables.
    with psycopg.connect(session_url(url), options="-c search_path=pg_catalog") as connection:
        return {(what, definition) for what, definition in connection.execute(query)}
