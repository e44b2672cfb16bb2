"""`strades db`: a backup out and back, hashes, and the URL to log in with."""

from pathlib import Path

import psycopg
import pytest

from strades_pipelines.settings import settings
from tests.research.bars import Run


def test_the_url_leads_to_this_worlds_database(strades: Run, world: str) -> None:
    printed = strades("db", "url")
    with psycopg.connect(printed.out.strip()) as connection, psycopg.connect(world) as expected:
        query = "SELECT current_database(), (SELECT count(*) FROM records.candles)"
        assert connection.execute(query).fetchone() == expected.execute(query).fetchone()


def test_hashes_are_one_line_a_table_as_in_the_document(strades: Run) -> None:
    document = strades("db", "hash", "--json").document
    assert "records.candles" in document
    assert [line.split("  ") for line in strades("db", "hash").out.splitlines()] == [
        [value, table] for table, value in document.items()
    ]


def test_a_backup_is_made_whatever_is_wrong_with_the_list_of_sources(
    strades: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Sources.json").write_text("{")
    monkeypatch.setenv("STRADES_SOURCES", str(tmp_path / "Sources.json"))
    settings.cache_clear()
    assert strades("db", "backup", tmp_path / "world.backup").code == 0
    assert (tmp_path / "world.backup").stat().st_size > 1000


def test_a_backup_goes_out_and_back(strades: Run, tmp_path: Path) -> None:
    file = tmp_path / "world.backup"
    saved = strades("db", "backup", file, "--json").document
    assert (saved["world"], saved["bytes"]) == ("sandbox", file.stat().st_size)
    assert saved["hashes"] == strades("db", "hash", "--json").document
    assert strades("db", "restore", file).code == 2
    assert strades("db", "restore", file, "--force", "--json").document == saved
    assert strades("db", "hash", "--json").document == saved["hashes"]
