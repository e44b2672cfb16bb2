"""Unused files of packages are removed, and nothing else."""

import csv
import os
import re
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

from dependencies.unused import UNUSED, remove_unused
from tests.dependencies.conftest import Install

FILES = {
    "some/__init__.py": "",
    "some/tests/__init__.py": "",
    "some/part/tests/test_it.py": "",
    "some/include/some.h": "int x;",
    "some/testing/tools.py": "",
}
FOLDERS = {"some": ("some/**/tests", "some/include"), "absent": ("absent/tests",)}


def files(package: Distribution) -> set[str]:
    """What is on the disk."""
    root = Path(str(package.locate_file("")))
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def record(package: Distribution) -> set[str]:
    """What the package's own list of files names."""
    return {row[0] for row in csv.reader((package.read_text("RECORD") or "").splitlines())}


def test_the_folders_go_with_their_bytecode_and_the_list_of_files_stays_true(install: Install) -> None:
    package = install("some", files=FILES)
    bytecode = Path(str(package.locate_file("some/tests/__pycache__/test_it.cpython-311.pyc")))
    bytecode.parent.mkdir()
    bytecode.write_text("not listed")
    assert remove_unused(FOLDERS) == len("int x;") + len("not listed")
    expected = {
        "some/__init__.py",
        "some/testing/tools.py",
        *(f"some-1.0.dist-info/{n}" for n in ("METADATA", "RECORD")),
    }
    assert files(package) == record(package) == expected
    assert remove_unused(FOLDERS) == 0
    assert record(package) == expected


def test_the_cache_that_files_are_linked_from_stays_whole(install: Install, tmp_path: Path) -> None:
    package = install("some", files=FILES)
    before = files(package)
    cache = tmp_path / "cache"
    for name in before:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(str(package.locate_file(name)), cache / name)
    remove_unused(FOLDERS)
    assert {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()} == before
    listed = (cache / "some-1.0.dist-info" / "RECORD").read_text()
    assert all(name in listed for name in FILES)


TESTED = [name for name, folders in UNUSED.items() if any(folder.endswith("/tests") for folder in folders)]


@pytest.mark.parametrize("name", TESTED)
def test_no_module_that_stays_imports_a_package_of_tests(name: str) -> None:
    imports = re.compile(r"^(?:(?:from|import) +[\w.]*\.tests\b|from +\.+ +import .*\btests\b)", re.MULTILINE)
    package = distribution(name)
    for file in package.files or ():
        path = Path(str(package.locate_file(file)))
        # The second is a script of scipy's authors, which no module imports.
        stays = file.suffix == ".py" and "tests" not in file.parts and file.name != "hyp2f1_data.py"
        assert not (stays and path.exists() and imports.search(path.read_text(errors="replace"))), file


def test_tensorflow_imports_libclang_nowhere() -> None:
    found = find_spec("tensorflow")
    assert found is not None
    folder = Path(str(found.origin)).parent
    imports = re.compile(r"^\s*(?:from|import) +clang\b", re.MULTILINE)
    assert not [path for path in folder.rglob("*.py") if imports.search(path.read_text(errors="replace"))]
