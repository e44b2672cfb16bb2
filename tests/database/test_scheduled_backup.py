"""One backup a day: what is kept, what a failure leaves, and when the newest is too old."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.backup import back_up, read_manifest
from strades_pipelines.database.connection import connect, database_url
from strades_pipelines.database.scheduled_backup import (
    INTERVAL,
    LATE,
    NAME,
    RETRY,
    age_of_newest,
    back_up_once,
    backups,
    look,
    main,
    record_backups,
)
from strades_pipelines.settings import settings
from strades_pipelines.supervision.metric_definitions import WORLD_METRICS

WORLD = "sandbox"


def named(folder: Path, age: timedelta, world: str = WORLD) -> Path:
    """A file with the name of a backup of that age."""
    file = folder / NAME.format(world=world, at=datetime.now(UTC) - age)
    file.touch()
    return file


def test_a_backup_is_written_and_the_oldest_of_this_world_go(tmp_path: Path, own_world: str) -> None:
    _, kept = named(tmp_path, timedelta(days=2)), named(tmp_path, timedelta(days=1))
    other = named(tmp_path, timedelta(days=9), "live")
    part = named(tmp_path, timedelta(hours=1))
    part.rename(part.with_name(part.name + ".part"))
    assert back_up_once(tmp_path, WORLD, keep=2)
    assert backups(tmp_path, WORLD)[0] == kept
    assert sorted(tmp_path.iterdir()) == sorted([other, *backups(tmp_path, WORLD)])
    assert len(backups(tmp_path, WORLD)) == 2
    assert read_manifest(backups(tmp_path, WORLD)[-1]).world == WORLD
    assert age_of_newest(tmp_path, WORLD) < timedelta(minutes=5)
    # Whoever reaches the database, in another pod say, sees it too.
    with connect(database_url()) as connection:
        [(file, size, age)] = connection.execute(
            "SELECT file, size, now() - taken_at FROM ops.backups WHERE is_scheduled"
        ).fetchall()
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


def test_files_of_a_person_are_left_alone_and_stop_nothing(tmp_path: Path, own_world: str) -> None:
    own = [tmp_path / f"{WORLD}-{name}" for name in ("before-migration.backup", "by-hand.backup.part", "20261.backup")]
    for file in own:
        file.touch()
    assert age_of_newest(tmp_path, WORLD) == timedelta.max
    assert timedelta() < INTERVAL - look(tmp_path, WORLD, keep=1) < timedelta(minutes=5)
    [made] = backups(tmp_path, WORLD)
    assert sorted(tmp_path.iterdir()) == sorted([made, *own])


ROWS = "SELECT file, taken_at, is_scheduled FROM ops.backups"


def test_a_backup_without_its_row_gets_it_at_the_next_look(
    tmp_path: Path, own_world: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(own_world) as connection:
        connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no space'; END$$;"
            "CREATE TRIGGER fail BEFORE INSERT ON ops.backups FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        connection.commit()
        assert [look(tmp_path, WORLD, keep=1) for _ in range(2)] == [RETRY, RETRY]
        assert capsys.readouterr().err.count("no space; the next try is in 15 minutes") == 2
        connection.execute("DROP TRIGGER fail ON ops.backups")
        connection.commit()
        named(tmp_path, timedelta(days=3))  # what is none of ours, whatever its name, has no row
        assert look(tmp_path, WORLD, keep=1) > timedelta(hours=23)
        [*_, made] = backups(tmp_path, WORLD)
        at = datetime.fromisoformat(read_manifest(made).taken_at)
        assert connection.execute(ROWS).fetchall() == [(made.name, at, True)]


def test_a_schedule_whose_first_backup_never_came_counts_from_its_start(tmp_path: Path, own_world: str) -> None:
    [metric] = [each for each in WORLD_METRICS if each.name == "strades_backup_age_seconds"]

    def age(connection: "psycopg.Connection[Any]") -> Any:
        return connection.execute(metric.query.encode(), {"real_now": datetime.now(UTC)}).fetchall()[0][0]

    with connect(own_world) as connection:
        assert age(connection) is None
        back_up(tmp_path / "by hand", own_world, key=tmp_path / "key", progress=lambda _: None)
        assert age(connection) is None
        assert record_backups(tmp_path, WORLD)
        connection.execute("UPDATE ops.backup_schedule SET started_at = now() - interval '3 days'")
        connection.commit()
        assert record_backups(tmp_path, WORLD)
        assert age(connection) > 2 * 86400
        assert back_up_once(tmp_path, WORLD, keep=1)
        assert age(connection) < 300
