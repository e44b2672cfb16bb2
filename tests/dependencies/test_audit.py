"""What pip-audit does not know is not clean."""

import json
from pathlib import Path

import pytest

from dependencies.audit import LOCK, PINNED, audit_problems, locked_here


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of two packages, one under a name that is written otherwise elsewhere."""
    path = tmp_path / "requirements.lock"
    django = "django==5.2.9 ; python_full_version < '3.14' \\\n    --hash=sha256:00\n"
    path.write_text(django + "ruamel-yaml==0.19.1 \\\n    --hash=sha256:11\n")
    return path


DJANGO = {"name": "Django", "version": "5.2.9", "vulns": []}
YAML = {"name": "ruamel.yaml", "version": "0.19.1", "vulns": []}
KNOWN = {"id": "PYSEC-1", "fix_versions": ["5.2.10"], "aliases": [], "description": ""}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([DJANGO, YAML], []),
        ([{**DJANGO, "vulns": [KNOWN]}, YAML], ["django 5.2.9: PYSEC-1, fixed in 5.2.10"]),
        ([DJANGO, {"name": "ruamel.yaml", "skip_reason": "Dependency not found on PyPI"}],
         ["ruamel-yaml 0.19.1: not looked up: Dependency not found on PyPI"]),
        ([DJANGO], ["ruamel-yaml 0.19.1: not looked up: it is not in the report"]),
        ([DJANGO, {**YAML, "version": "0.18"}], ["ruamel-yaml 0.19.1: not looked up: the report is of 0.18"]),
    ],
)  # fmt: skip
def test_only_a_package_that_was_looked_up_is_clean(lock: Path, entries: list[object], said: list[str]) -> None:
    assert audit_problems(json.dumps({"dependencies": entries, "fixes": []}), lock) == said


def test_a_package_of_another_python_or_system_is_not_looked_for(lock: Path) -> None:
    lock.write_text(lock.read_text() + "cffi==1 ; platform_python_implementation == 'PyPy' \\\n    --hash=sha256:22\n")
    assert audit_problems(json.dumps({"dependencies": [DJANGO, YAML]}), lock) == []


@pytest.mark.parametrize("report", ["", "offline", "[]", "{}"])
def test_no_report_is_no_clean_one(lock: Path, report: str) -> None:
    assert audit_problems(report, lock) == ["expected the JSON of pip-audit, was something else: nothing was looked up"]


def test_every_package_of_the_lock_is_looked_for_and_has_hashes() -> None:
    text = LOCK.read_text()
    pinned = locked_here(LOCK)
    assert len(pinned) > 100
    assert len(audit_problems('{"dependencies": []}')) == len(pinned)
    assert "python_full_version" not in str(pinned)
    blocks = text.split("\n")
    assert all("--hash=sha256:" in blocks[number + 1] for number, line in enumerate(blocks) if PINNED.match(line))
