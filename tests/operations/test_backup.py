"""A world saved and brought back: the same hashes, and never a half of either."""

import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.backup import BackupError, BackupFailed, back_up, read_manifest, restore
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.migrate import WorldMismatch
from strades_pipelines.database.server import binaries


def quiet(line: str) -> None:
    """No progress."""


def execute(url: str, statement: str) -> list[Any]:
    """Run a statement as the server's owner and commit it."""
    with psycopg.connect(url) as connection:
        done = connection.execute(statement)
        return done.fetchall() if done.description else []


def test_a_world_comes_back_as_it_was(world: str, tmp_path: Path) -> None:
    file, before = tmp_path / "world.backup", table_hashes(world)
    manifest = back_up(file, world, progress=quiet)
    assert (manifest.world, dict(manifest.hashes)) == ("sandbox", before)
    assert read_manifest(file) == manifest
    assert list(tmp_path.iterdir()) == [file]

    execute(world, "UPDATE records.candles SET volume = 0")
    with pytest.raises(BackupError, match=r"empty world.*--force"):
        restore(file, "sandbox", force=False, progress=quiet)
    assert table_hashes(world) != before
    restore(file, "sandbox", force=True, progress=quiet)
    assert table_hashes(world) == before
    assert execute(world, "SELECT world FROM ops.world") == [("sandbox",)]

    with pytest.raises(WorldMismatch, match="expected a backup of the world 'live', was 'sandbox'"):
        restore(file, "live", force=True, progress=quiet)


def test_pg_restore_reads_the_file_as_it_is(world: str, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    back_up(file, world, progress=quiet)
    command = [str(binaries() / "pg_restore"), "--list", str(file)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "TABLE DATA records candles" in listed


def test_a_file_that_is_no_whole_backup_is_refused_and_nothing_is_lost(world: str, tmp_path: Path) -> None:
    file, before = tmp_path / "world.backup", table_hashes(world)
    back_up(file, world, progress=quiet)
    whole = file.read_bytes()
    for damaged in (b"", b"PGDMP", whole[:-30], b"X" + whole[1:]):
        file.write_bytes(damaged)
        with pytest.raises(BackupError, match="whole file of `strades db backup`"):
            restore(file, "sandbox", force=True, progress=quiet)
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes(40) + whole[middle + 40 :])
    with pytest.raises(BackupFailed):
        restore(file, "sandbox", force=True, progress=quiet)
    file.write_bytes(whole.replace(before["records.candles"].encode(), before["records.trades"].encode()))
    with pytest.raises(BackupFailed, match=r"not what was saved, in records\.candles; the world is as it was"):
        restore(file, "sandbox", force=True, progress=quiet)
    assert table_hashes(world) == before
    with pytest.raises(BackupError, match="expected a folder to write into"):
        back_up(tmp_path / "none" / "file", world, progress=quiet)
