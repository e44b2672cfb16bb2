"""One code location for all tests of the webserver, and the webservers that show it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.serving import Served, code_location, webserver


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dagster's home, kept in SQLite: what is tried here is no matter of the database."""
    folder = tmp_path_factory.mktemp("dagster-home")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return folder


@pytest.fixture(scope="session")
def workspace(home: Path) -> Iterator[Path]:
    """The workspace file of the running code location."""
    with code_location(home) as path:
        yield path


@pytest.fixture(scope="session")
def served(home: Path, workspace: Path) -> Iterator[Served]:
    """A webserver that also has a public name."""
    with webserver(home, workspace, public_host="strades.example.org, http://box.example.org:8000") as started:
        yield started


@pytest.fixture(scope="session")
def readonly(home: Path, workspace: Path) -> Iterator[Served]:
    """A webserver without mutations, as a proxy shows it below a path."""
    with webserver(home, workspace, "--read-only", path_prefix="/dagster") as started:
        yield started
