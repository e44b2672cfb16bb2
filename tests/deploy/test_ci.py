"""`.ci/run` installs what tests need where it can, and says what is missing where it cannot."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.compose import PROJECT

# What the script calls of the system, apart from what a test puts in their place.
TOOLS = ("bash", "dirname", "env", "tail")


@pytest.fixture
def ci(tmp_path: Path) -> Path:
    """A copy of the script, with a PATH of its own in which `make` writes down how it was called."""
    (tmp_path / "project" / ".ci").mkdir(parents=True)
    shutil.copy(PROJECT / ".ci" / "run", tmp_path / "project" / ".ci" / "run")
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(str(shutil.which(tool)))
    program(tmp_path, "make", 'echo "make $*" >> "$CALLS"')
    program(tmp_path, "id", "echo 0")
    program(tmp_path, "apt-get", 'echo "apt-get $*" >> "$CALLS"')
    return tmp_path


def program(ci: Path, name: str, body: str) -> None:
    """Put a program of the system into PATH."""
    path = ci / "bin" / name
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)


def run(ci: Path) -> tuple[list[str], str]:
    """Run the script; return what it called, and what it printed."""
    calls = ci / "calls"
    environment = {"PATH": str(ci / "bin"), "CALLS": str(calls), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        [ci / "project" / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return calls.read_text().splitlines(), done.stdout + done.stderr


CHECKS = ["make lint", "make test"]


def test_nothing_is_installed_or_said_where_all_is_there(ci: Path) -> None:
    program(ci, "dpkg-query", "echo installed")
    assert run(ci) == (CHECKS, "")


def test_root_installs_what_is_missing_after_one_update(ci: Path) -> None:
    program(ci, "dpkg-query", '[[ "$*" != *chromium ]] || exit 1; echo installed')
    calls, printed = run(ci)
    install = "apt-get install -qq --yes --no-install-recommends chromium"
    assert calls == ["apt-get update -qq", install, *CHECKS]
    assert printed == "Installing chromium with apt-get.\n"


def test_a_package_that_was_removed_but_for_its_configuration_is_missing(ci: Path) -> None:
    program(ci, "dpkg-query", "echo config-files")
    assert run(ci)[0][1].endswith(" chromium postgresql nginx tor")


def test_without_root_or_apt_get_the_checks_run_and_a_line_says_what_is_missing(ci: Path) -> None:
    expected = (CHECKS, "Not installed: chromium postgresql nginx tor. Tests that need one of them are skipped.\n")
    program(ci, "id", "echo 1000")
    assert run(ci) == expected
    (ci / "calls").unlink()
    (ci / "bin" / "apt-get").unlink()
    program(ci, "id", "echo 0")
    assert run(ci) == expected


def test_a_failed_installation_shows_its_end_and_the_checks_run(ci: Path) -> None:
    program(ci, "apt-get", "for line in {1..20}; do echo $line; done; echo no such mirror; exit 100")
    calls, printed = run(ci)
    assert calls == CHECKS
    assert "no such mirror\n" in printed
    assert "\n1\n" not in printed
    assert "Not installed: chromium postgresql nginx tor." in printed
