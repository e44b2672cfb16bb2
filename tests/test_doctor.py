"""`strades doctor` finds what others may read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from strades_pipelines.doctor import examine
from strades_pipelines.settings import settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a signing key, and a server that nobody can reach."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    settings.cache_clear()
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "backup.key").touch(mode=0o600)
    yield tmp_path / "home"
    settings.cache_clear()


def test_what_others_may_read_is_named_and_one_finding_hides_no_other(home: Path) -> None:
    for path in (home, home / "backup.key"):
        path.chmod(0o755)
    found = {finding.what: finding for finding in examine()}
    assert not found["files of the home"].good
    assert f"{home}, {home / 'backup.key'}" in found["files of the home"].detail
    assert not found["database server"].good
    assert found["Wallets.json"].good
