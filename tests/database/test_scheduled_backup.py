"""One backup a day: what is kept, what a failure leaves, and when the newest is too old."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strades_pipelines.database.backup import read_manifest
from strades_pipelines.database.connection import connect, database_url
from strades_pipelines.database.scheduled_backup import INTERVAL, LATE, NAME, age_of_newest, back_up_once, backups, main
from strades_pipelines.settings import settings

WORLD = "sandbox"


def named(folder: Path, age: timedelta, world: str = WORLD) -> Path:
    """A file with the name of a backup of that age."""
    file = folder / NAME.format(world=world, at=datetime.now(UTC) - age)
    file.touch()
    return file


def test_a_backup_is_written_and_the_oldest_of_this_world_go(tmp_path: Path, own_world: str) -> None:
    _, kept = named(tmp_path, timedelta(days=2)), named(tmp_path, timedelta(days=1))
    other = named(tmp_path, timedelta(days=9), "live")
    (tmp_path / "left.part").touch()
    assert back_up_once(tmp_path, WORLD, keep=2)
    assert backups(tmp_path, WORLD)[0] == kept
    assert sorted(tmp_path.iterdir()) == sorted([other, *backups(tmp_path, WORLD)])
    assert len(backups(tmp_path, WORLD)) == 2
    assert read_manifest(backups(tmp_path, WORLD)[-1]).world == WORLD
    assert age_of_newest(tmp_path, WORLD) < timedelta(minutes=5)
    # Whoever reaches the database, in another pod say, sees it too.
    with connect(database_url()) as connection:
        [(file, size, age)] = connection.execute("SELECT file, size, now() - taken_at FROM ops.backups").fetchall()
    newest = backups(tmp_path, WORLD)[-1]
    assert (file, size) == (newest.name, newest.stat().st_size)
    assert timedelta() < age < timedelta(minutes=5)
    assert main([str(tmp_path), "--check"]) == 0


def test_a_failure_is_one_line_and_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    settings.cache_clear()
    old = [named(tmp_path, timedelta(days=day)) for day in (3, 2, 1)]
    assert not back_up_once(tmp_path, WORLD, keep=1)
    settings.cache_clear()
    assert backups(tmp_path, WORLD) == old
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("backup of the world 'sandbox' failed: ")
    assert "secret" not in line


@pytest.mark.parametrize(("age", "code"), [(None, 1), (LATE + timedelta(minutes=1), 1), (INTERVAL, 0)])
def test_the_check_fails_where_the_newest_is_too_old(tmp_path: Path, age: timedelta | None, code: int) -> None:
    if age is not None:
        named(tmp_path, age)
    named(tmp_path, timedelta(), "live")
    assert "STRADES_WORLD" not in os.environ
    assert main([str(tmp_path), "--check"]) == code
