"""A world saved and brought back: the same hashes, and never a half of either."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.backup import BackupError, BackupFailed, Manifest, back_up, read_manifest
from strades_pipelines.database.connection import connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.migrate import WorldMismatch
from strades_pipelines.database.restore import _filled, restore
from strades_pipelines.database.server_programs import binaries
from strades_pipelines.ingestion.month_partitions import create_months
from tests.dbt_project.building import run_dbt
from tests.dying import Died, die_at


def save(file: Path, world: str) -> Manifest:
    """`strades db backup` with the key of the file's folder."""
    return back_up(file, world, key=file.parent / "home" / "backup.key", progress=quiet)


def bring_back(file: Path, world: str = "sandbox", *, force: bool = True, trust: bool = False) -> Manifest:
    """`strades db restore` with the key of the file's folder."""
    key = file.parent / "home" / "backup.key"
    return restore(file, world, key=key, force=force, trust=trust, disconnect=False, progress=quiet)


def quiet(line: str) -> None:
    """No progress."""


def execute(url: str, statement: str) -> list[Any]:
    """Run a statement as the server's owner and commit it."""
    with psycopg.connect(url) as connection:
        done = connection.execute(statement)
        return done.fetchall() if done.description else []


def test_a_world_comes_back_as_it_was(world: str, tmp_path: Path) -> None:
    file, before = tmp_path / "world.backup", table_hashes(world)
    manifest = save(file, world)
    assert (manifest.world, dict(manifest.hashes)) == ("sandbox", before)
    assert read_manifest(file) == manifest
    assert set(tmp_path.iterdir()) == {file, tmp_path / "home"}

    execute(world, "UPDATE records.candles SET volume = 0")
    with pytest.raises(BackupError, match=r"empty world.*--force"):
        bring_back(file, force=False)
    assert table_hashes(world) != before
    bring_back(file)
    assert table_hashes(world) == before
    assert execute(world, "SELECT world FROM ops.world") == [("sandbox",)]

    with pytest.raises(WorldMismatch, match="expected a backup of the world 'live', was 'sandbox'"):
        bring_back(file, "live")


def test_months_come_back_in_their_partitions_to_an_installation_that_has_none(world: str, tmp_path: Path) -> None:
    execute(
        world,
        "INSERT INTO records.trades SELECT listing_id, 'a', '2026-11-05Z', 1, 1, 'buy', '2026-11-05Z', 'stated', 1,"
        " '2026-11-05Z' FROM records.listings",
    )
    with connect(world) as connection:
        assert create_months(connection, datetime(2026, 11, 20, tzinfo=UTC)).postponed == []
    parts = "SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits ORDER BY 1, 2"
    stored = "SELECT DISTINCT tableoid::regclass::text FROM records.trades"
    before, partitions = table_hashes(world), execute(world, parts)
    assert execute(world, stored) == [("records.trades_2026_11",)]
    assert "records.trades_2026_11" not in before
    save(tmp_path / "world.backup", world)
    (tmp_path / "home" / "backup.key").unlink()  # as a file of another installation, all of its code is looked at
    bring_back(tmp_path / "world.backup", trust=True)
    assert (table_hashes(world), execute(world, parts), execute(world, stored)) == (
        before,
        partitions,
        [("records.trades_2026_11",)],
    )


def test_a_world_whose_tables_dbt_has_made_comes_back_with_their_triggers(world: str, tmp_path: Path) -> None:
    run_dbt(world, min_date="2024-01-01", max_date="2024-02-01")
    triggers = """
        SELECT tgname FROM pg_trigger WHERE tgrelid = 'cleaned.daily_bars'::regclass AND NOT tgisinternal ORDER BY 1
    """
    before, watching = table_hashes(world), execute(world, triggers)
    assert {("mark_inserted",), ("inputs_insert",)} <= set(watching)
    save(tmp_path / "world.backup", world)
    bring_back(tmp_path / "world.backup")
    assert table_hashes(world) == before
    assert execute(world, triggers) == watching


def test_a_backup_is_as_old_as_its_snapshot_and_knows_of_no_backup(world: str, tmp_path: Path) -> None:
    file, begun = tmp_path / "world.backup", []
    save(tmp_path / "earlier.backup", world)

    def note(_: str) -> None:
        begun.extend(execute(world, "SELECT clock_timestamp()"))

    manifest = back_up(file, world, key=tmp_path / "home" / "backup.key", progress=note)
    assert datetime.fromisoformat(manifest.taken_at) < begun[0][0]
    assert execute(world, "SELECT file, is_scheduled FROM ops.backups ORDER BY taken_at") == [
        ("earlier.backup", False),
        ("world.backup", False),
    ]
    bring_back(file)
    assert execute(world, "SELECT file FROM ops.backups") == []


def test_a_restore_that_ends_between_the_two_names_leaves_the_world_as_it_was(world: str, tmp_path: Path) -> None:
    """There is a world at any moment: both databases are renamed in one transaction."""
    file = tmp_path / "world.backup"
    save(file, world)
    execute(world, "UPDATE records.candles SET volume = 0")
    changed = table_hashes(world)

    with die_at("backup.renamed"), pytest.raises(Died):
        bring_back(file)
    assert table_hashes(world) == changed
    bring_back(file)
    assert table_hashes(world) != changed
    names = {name for (name,) in execute(world, "SELECT datname FROM pg_database")}
    own = world.rpartition("/")[2].partition("?")[0]  # other tests' worlds are on this server, too
    assert {name for name in names if name.startswith(own)} == {own}


def test_pg_restore_reads_the_file_as_it_is(world: str, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    save(file, world)
    command = [str(binaries() / "pg_restore"), "--list", str(file)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "TABLE DATA records candles" in listed


def test_a_file_that_is_no_whole_backup_is_refused_and_nothing_is_lost(world: str, tmp_path: Path) -> None:
    file, before = tmp_path / "world.backup", table_hashes(world)
    save(file, world)
    whole = file.read_bytes()
    for damaged in (b"", b"PGDMP", whole[:-30], b"X" + whole[1:]):
        file.write_bytes(damaged)
        with pytest.raises(BackupError, match="whole file of `strades db backup`"):
            bring_back(file, trust=True)
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes(40) + whole[middle + 40 :])
    with pytest.raises(BackupFailed):
        bring_back(file, trust=True)
    file.write_bytes(whole.replace(before["records.candles"].encode(), before["records.trades"].encode()))
    with pytest.raises(BackupFailed, match=r"not what was saved, in records\.candles; the world is as it was"):
        bring_back(file, trust=True)
    assert table_hashes(world) == before
    with pytest.raises(BackupError, match="expected a folder to write into"):
        save(tmp_path / "none" / "file", world)


def test_a_device_or_a_fifo_is_neither_replaced_nor_waited_for(world: str, tmp_path: Path) -> None:
    fifo, device = tmp_path / "fifo", tmp_path / "device"
    os.mkfifo(fifo)
    device.symlink_to(os.devnull)
    with pytest.raises(BackupError, match=r"fifo: expected a file to write, was a FIFO$"):
        save(fifo, world)
    with pytest.raises(BackupError, match=r"device: expected a file to write, was a device$"):
        save(device, world)
    with pytest.raises(BackupError, match=r"fifo: expected a readable file, was a FIFO$"):
        read_manifest(fifo)
    assert fifo.is_fifo()
    assert device.is_char_device()


def overwritten(file: Path, replacement: str) -> Path:
    """The backup with other SQL, of the same length, where it makes a table: the archive stays valid."""
    content = file.read_bytes()
    begin = content.index(b"CREATE TABLE records.listings")
    end = content.index(b");\n", begin) + 2
    changed = file.with_name("changed.backup")
    assert len(replacement) <= end - begin
    changed.write_bytes(content[:begin] + replacement.encode().ljust(end - begin) + content[end:])
    return changed


@pytest.mark.parametrize(
    ("smuggled", "complaint"),
    [
        ("COPY (SELECT 1) TO PROGRAM 'touch {}';", "permission denied to COPY to or from an external program"),
        ("RESET ROLE;COPY (SELECT 1) TO PROGRAM 'touch {}';", "permission denied to COPY"),
        ("SET ROLE strades;COPY (SELECT 1) TO PROGRAM 'touch {}';", "permission denied to set role"),
        ("SELECT pg_read_file('/etc/passwd');", "permission denied for function pg_read_file"),
        ("ALTER ROLE strades_service SUPERUSER;", "permission denied to alter role"),
        ("\\! touch {}\n", "syntax error"),
        ("DROP DATABASE postgres;", "cannot be executed|cannot run inside|must be owner"),
    ],
)
def test_sql_of_a_changed_file_gets_no_further_than_the_new_database(
    world: str, tmp_path: Path, smuggled: str, complaint: str
) -> None:
    before, proof = table_hashes(world), Path(os.environ["STRADES_TEST_FOLDER"]) / "ran"
    save(tmp_path / "world.backup", world)
    changed = overwritten(tmp_path / "world.backup", smuggled.format(proof))
    with pytest.raises(BackupError, match=r"expected a backup that this installation made.*--trust"):
        bring_back(changed)
    with pytest.raises((BackupError, BackupFailed), match=complaint):
        bring_back(changed, trust=True)
    assert not proof.exists()
    assert table_hashes(world) == before
    with psycopg.connect(os.environ["STRADES_TEST_SERVER"]) as server:
        assert not server.execute("SELECT FROM pg_roles WHERE rolname = 'strades_restore'").fetchall()


@pytest.mark.parametrize(
    ("removed", "missing"),
    [
        (b"CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON trading.ledger ", "trigger append_only"),
        (b"ALTER TABLE ONLY trading.orders\n", "constraint orders_.* of trading.orders"),
    ],
)
def test_a_trusted_file_may_not_leave_out_what_keeps_the_rows_as_they_must_be(
    world: str, tmp_path: Path, removed: bytes, missing: str
) -> None:
    before, changed = table_hashes(world), tmp_path / "changed.backup"
    save(tmp_path / "world.backup", world)
    content = (tmp_path / "world.backup").read_bytes()
    begin = content.index(removed)
    end = content.index(b";\n", begin) + 1
    changed.write_bytes(content[:begin] + b" " * (end - begin) + content[end:])
    with pytest.raises(BackupError, match=f"expected all that the migrations make, lacked {missing}"):
        bring_back(changed, trust=True)
    assert table_hashes(world) == before


def test_entries_that_no_world_has_are_refused_by_name(world: str, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    execute(world, "CREATE DOMAIN public.number AS int")
    save(file, world)
    with pytest.raises(BackupError, match=r"expected only entries of a world, was also .*DOMAIN public number"):
        bring_back(file)
    execute(world, "DROP DOMAIN public.number")
    execute(world, "CREATE OR REPLACE FUNCTION trading.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'")
    save(file, world)
    with pytest.raises(BackupError, match=r"was also function trading\.refuse_change\(\)"):
        bring_back(file)


def test_a_world_in_use_is_not_taken_away(world: str, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    save(file, world)
    with psycopg.connect(world, application_name="a reader") as reader:
        with pytest.raises(BackupError, match=r"was in use by a reader; .*--disconnect"):
            bring_back(file)
        assert reader.execute("SELECT 1").fetchone() == (1,)
    bring_back(file)


def test_a_backup_of_another_installation_needs_trust(world: str, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    save(file, world)
    assert (tmp_path / "home" / "backup.key").stat().st_mode & 0o077 == 0
    (tmp_path / "home" / "backup.key").unlink()
    with pytest.raises(BackupError, match="--trust"):
        bring_back(file)
    bring_back(file, trust=True)


def test_accounts_of_the_dashboard_come_back_with_their_owner_and_signed_out(world: str, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    execute(
        world,
        "SET ROLE strades_dashboard; CREATE TABLE dashboard.user_logging_info "
        "(id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, name text UNIQUE); "
        'CREATE VIEW dashboard.named AS SELECT name AS "Name" FROM dashboard.user_logging_info; '
        "INSERT INTO dashboard.user_logging_info (name) VALUES ('ada'); "
        "CREATE TABLE dashboard.django_session (session_key text); "
        "INSERT INTO dashboard.django_session VALUES ('what stands in the cookie')",
    )
    save(file, world)
    execute(world, "DELETE FROM dashboard.user_logging_info")
    bring_back(file)
    assert execute(world, 'SELECT "Name" FROM dashboard.named') == [("ada",)]
    assert execute(world, "SELECT session_key FROM dashboard.django_session") == []
    owner = "SELECT tableowner, has_database_privilege(tableowner, current_database(), 'CREATE') FROM pg_tables"
    assert execute(world, f"{owner} WHERE schemaname = 'dashboard'") == [("strades_dashboard", False)] * 2
    execute(world, "SET ROLE strades_dashboard; INSERT INTO dashboard.user_logging_info (name) VALUES ('bob')")


def test_a_database_with_nothing_but_accounts_is_not_empty(database_url: str) -> None:
    assert _filled(database_url) == ""
    execute(
        database_url,
        "SET ROLE strades_dashboard; CREATE TABLE dashboard.django_migrations AS SELECT 1; "
        "CREATE TABLE dashboard.user_logging_info AS SELECT 'ada'",
    )
    assert _filled(database_url) == "dashboard.user_logging_info"
