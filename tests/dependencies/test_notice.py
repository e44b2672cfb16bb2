"""NOTICE.md is true, and a check says when it is not."""

from pathlib import Path

import pytest

from dependencies import notice
from dependencies.licences import LicenceError
from tests.dependencies.conftest import Install


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of NOTICE.md that a test may change."""
    path = tmp_path / "NOTICE.md"
    path.write_text(notice.NOTICE.read_text())
    monkeypatch.setattr(notice, "NOTICE", path)
    return path


def test_the_notice_of_the_project_has_every_package_and_library() -> None:
    assert notice.problems() == []


def test_missing_wrong_and_needless_lines_are_a_problem_and_are_written_right(copy: Path) -> None:
    right = copy.read_text()
    wrong = right
    for line, changed in (
        ("| `scrapy` | BSD-3-Clause |\n", ""),
        ("| `starlette` | BSD-3-Clause |\n", "| `starlette` | MIT |\n"),
        ("| `typer` |", "| `nobody-needs-it` | MIT |\n| `typer` |"),
    ):
        assert wrong.count(line) == 1
        wrong = wrong.replace(line, changed)
    copy.write_text(wrong.replace("`libgeos`, ", ""))
    assert notice.problems() == [
        "NOTICE.md: libgeos inside a wheel has no line",
        "NOTICE.md: its table is not that of the installed packages; run `make notice`",
    ]
    copy.write_text(wrong)
    notice.update_notice()
    assert copy.read_text() == right


def test_a_package_that_only_another_platform_installs_keeps_its_line_while_it_is_locked(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(notice.LOCK.read_text() + "somewhere-else==1 ; sys_platform == 'darwin'\n")
    monkeypatch.setattr(notice, "LOCK", lock)
    copy.write_text(copy.read_text().replace("| `starlette` |", "| `somewhere-else` | MIT |\n| `starlette` |"))
    assert "somewhere-else" in notice.current_licences()
    lock.write_text("")
    assert "somewhere-else" not in notice.current_licences()


def test_a_licence_that_is_not_allowed_is_named_with_its_package(install: Install) -> None:
    free, viral = install("free", "License-Expression: MIT"), install("viral", "License-Expression: AGPL-3.0-only")
    assert notice.checked_licences({"free": free}) == {"free": "MIT"}
    with pytest.raises(LicenceError, match=r"^viral: AGPL-3\.0-only "):
        notice.checked_licences({"free": free, "viral": viral})


def test_libraries_inside_a_wheel_are_found_without_their_hashes(install: Install) -> None:
    files = {
        "a_wheel.libs/libpq-c07d8585.so.5.18": "",
        "a_wheel.libs/libgfortran-040039e1-0352e75f.so.5.0.0": "",
        "a_wheel.libs/libscipy_openblas64_-32a4b2a6.so": "",
        "a_wheel/own.so": "",
    }
    found = notice.bundled_libraries([install("a-wheel", files=files)])
    assert found == ["libgfortran", "libpq", "libscipy_openblas64_"]
