from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from yoyo.backends import DatabaseBackend
from yoyo.migrations import Migration

from strades_pipelines.database import migrate as migrate_module
from strades_pipelines.database.connection import connect
from strades_pipelines.database.migrate import MIGRATIONS, WorldMismatch, migrate
from strades_pipelines.database.roles import DBT_ROLE


def test_migrating_again_does_nothing(database_url: str) -> None:
    assert migrate(database_url, world="sandbox") == 0


def test_a_migration_that_was_killed_holds_nobody_up(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4242)")
    assert migrate(database_url, world="sandbox") == 0


@pytest.fixture
def empty(database_url: str) -> Iterator[str]:
    """The URL of a database that nothing was applied to."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
    yield urlunsplit(urlsplit(database_url)._replace(path="/empty"))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE empty WITH (FORCE)")


def test_migrations_at_once_are_applied_once(empty: str) -> None:
    with ThreadPoolExecutor() as pool:
        applied = list(pool.map(lambda _: migrate(empty, world="sandbox"), range(3)))
    assert sorted(applied)[:2] == [0, 0]
    assert max(applied) == len(list(MIGRATIONS.glob("*.sql")))


@pytest.mark.parametrize("step", ["log_migration", "mark_one"])
def test_a_process_that_ends_after_the_steps_of_a_migration_leaves_none_of_it(
    empty: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        pass

    def end(_backend: DatabaseBackend, migration: Migration, *_arguments: str, **_options: bool) -> None:
        if migration.id.startswith("0006"):
            raise Ended
        undisturbed(_backend, migration, *_arguments, **_options)

    undisturbed = getattr(DatabaseBackend, step)
    with monkeypatch.context() as patch:
        patch.setattr(DatabaseBackend, step, end)
        with pytest.raises(Ended):
            migrate(empty, world="sandbox")
    assert migrate(empty, world="sandbox") == len(list(MIGRATIONS.glob("*.sql"))) - 5


def test_the_database_of_another_world_is_refused(database_url: str) -> None:
    with pytest.raises(WorldMismatch, match="expected the world 'live', was 'sandbox'; set STRADES_WORLD"):
        migrate(database_url, world="live")


def test_dbt_may_read_records_and_not_write_them(database_url: str) -> None:
    with connect(database_url, role=DBT_ROLE) as connection:
        assert connection.execute("SELECT count(*) FROM records.listings").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM records.listings")


def test_the_application_may_read_what_dbt_makes_and_not_write_it(database_url: str) -> None:
    with connect(database_url, role=DBT_ROLE) as connection:
        connection.execute("CREATE TABLE cleaned.made AS SELECT 1 AS x")
    with connect(database_url) as connection:
        assert connection.execute("SELECT x FROM cleaned.made").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM cleaned.made")


@contextmanager
def older_database(url: str, before: str, patch: pytest.MonkeyPatch, folder: Path) -> Iterator[str]:
    """The URL of another database, with the schema of the migrations before one of them."""
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < before:
            (folder / path.name).write_bytes(path.read_bytes())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE older")
    older = urlunsplit(urlsplit(url)._replace(path="/older"))
    try:
        with patch.context() as patched:
            patched.setattr(migrate_module, "MIGRATIONS", folder)
            migrate(older, world="sandbox")
        yield older
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP DATABASE older WITH (FORCE)")


def test_rows_of_the_schema_before_0012_stay_and_the_next_load_is_not_before_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with older_database(database_url, "0011", monkeypatch, tmp_path) as older:
        with connect(older) as connection:
            connection.execute(
                "INSERT INTO records.listings VALUES (1, 'gateio', 'BTC_USDT', 'USD', 0.01, 1, 'raw', '24/7')"
            )
            connection.execute(
                "INSERT INTO records.candles VALUES (1, '1m', '2026-11-01', '2026-11-01T00:01Z', 1, 2, 1, 1, 1, 1, 1,"
                " '2026-11-01T00:01Z', 'stated', 7, '2026-11-20')"
            )
            connection.execute("INSERT INTO records.parses VALUES (7, '1', 'parsed', NULL, 1, 0)")
        assert migrate(older, world="sandbox") == len(list(MIGRATIONS.glob("*.sql"))) - 10
        with connect(older) as connection:
            assert connection.execute("SELECT listing_id, fetch_id FROM records.candles").fetchall() == [(1, 7)]
            assert connection.execute("SELECT listing_id, symbol FROM records.listings").fetchall() == [(1, "BTC_USDT")]
            newest = connection.execute("SELECT max(recorded_at) FROM records.parses").fetchone()
        assert newest == (datetime(2026, 11, 20, tzinfo=UTC),)


OLD_ORDERS = {
    # state before, what was filled of 4, whether the venue had it: the states that it went through
    "submitting": (0, False, ["planned", "submitting"]),
    "unknown": (0, False, ["planned", "submitting", "unknown"]),
    "open": (0, True, ["planned", "submitting", "accepted"]),
    "filled": (4, True, ["planned", "submitting", "filled"]),
    "rejected": (0, True, ["planned", "submitting", "rejected"]),
    "cancelled": (0, False, ["planned", "cancelled"]),
    "expired": (0, False, ["planned", "expired"]),
    None: (0, False, ["planned"]),
}


def test_orders_of_before_0024_have_a_life_and_the_decisions_of_an_instant_have_ordinals(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with older_database(database_url, "0024", monkeypatch, tmp_path) as older:
        with connect(older) as connection:
            connection.execute(
                "INSERT INTO records.listings VALUES (1, 'gateio', 'BTC_USDT', 'USD', 0.01, 1, 'raw', '24/7')"
            )
            connection.execute(
                "INSERT INTO trading.wallets VALUES ('w', 'paper', 's', '{}', '{gateio:BTC_USDT}', '1m', 'h', 'USD',"
                " 1000, 0, '2026-01-01', NULL, NULL, '15 min')"
            )
            for number, (state, (filled, at_venue, _)) in enumerate(OLD_ORDERS.items()):
                name = f"{state}"
                connection.execute(
                    "INSERT INTO signals.decisions VALUES (%s, 'w', 's', 1, '2026-01-02', 'bar', %s, 0, 0, 4, 'r',"
                    " '{}', '2026-01-02')",
                    [name, f"b{number}"],
                )
                connection.execute(
                    "INSERT INTO trading.intents VALUES (%s, %s, 'w', 1, 0, 'buy', 4, 'market', '2026-01-02',"
                    " '2026-01-02')",
                    [name, name],
                )
                if state is not None:
                    connection.execute(
                        "INSERT INTO trading.orders VALUES (%s, 'w', 'paper', %s, %s, NULL, '2026-01-03',"
                        " '2026-01-04')",
                        [name, name if at_venue else None, state],
                    )
                if filled:
                    connection.execute(
                        "INSERT INTO trading.fills VALUES (%s, %s, 'w', 1, 'buy', %s, 10, 0, 'USD', '2026-01-04',"
                        " '2026-01-04', '1m', '2026-01-04', '2026-01-04')",
                        [name, name, filled],
                    )
                    connection.execute(
                        "INSERT INTO trading.paper_venue_orders VALUES (%s, 'w', 1, 'buy', 4, '2026-01-03', 'filled',"
                        " NULL, 10, 0, '1m', '2026-01-04')",
                        [name],
                    )
        migrate(older, world="sandbox")
        with connect(older) as connection:
            events: dict[str, list[str]] = {}
            for intent_id, after in connection.execute(
                "SELECT intent_id, state FROM trading.order_events ORDER BY intent_id, sequence"
            ):
                events.setdefault(intent_id, []).append(after)
            assert events == {str(state): expected for state, (_, _, expected) in OLD_ORDERS.items()}
            states: dict[str, str] = dict(connection.execute("SELECT intent_id, state FROM trading.orders").fetchall())
            assert states == {name: passed[-1] for name, passed in events.items()}
            ordinals = connection.execute("SELECT ordinal, is_pending FROM signals.decisions ORDER BY 1").fetchall()
            assert ordinals == [(n, False) for n in range(len(OLD_ORDERS))]
            books = (
                "SELECT cash, quantity, matched_to "
                "FROM trading.paper_venue_accounts JOIN trading.paper_venue_positions USING (account)"
            )
            assert connection.execute(books).fetchall() == [(960, 4, datetime(2026, 1, 4, tzinfo=UTC))]
