"""The command in a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from strades_pipelines.settings import settings
from tests.research.bars import Run, runner
from tests.strategy.both import cache_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the command keeps its cache and its trials."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings.cache_clear()
    cache_folder().mkdir(exist_ok=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache").symlink_to(cache_folder())
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture
def strades(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`strades(words...)`: run the command in this process."""
    return runner(monkeypatch, capsys)
