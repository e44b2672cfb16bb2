"""Sizes of packages: what is there, with its bytecode."""

import compileall
from pathlib import Path

from dependencies.sizes import PackageSize, package_sizes, size_on_disk, size_report
from tests.dependencies.conftest import Install


def test_files_and_their_bytecode_count_and_missing_files_do_not(install: Install) -> None:
    package = install(
        "some", files={"some/__init__.py": "x = 1\n", "some/data.bin": "y" * 1000, "some/gone.h": "z" * 5000}
    )
    root = Path(str(package.locate_file("some")))
    information = sum(len(str(file.read_text())) for file in package.files or () if file.parent.suffix == ".dist-info")
    (root / "gone.h").unlink()
    assert size_on_disk(package) == 1006 + information
    compileall.compile_dir(root, quiet=2)
    [bytecode] = (root / "__pycache__").iterdir()
    assert size_on_disk(package) == 1006 + information + bytecode.stat().st_size


def test_the_report_has_the_largest_and_the_sums() -> None:
    sizes = [
        PackageSize("big", 5_000_000, True),
        PackageSize("tool", 2_000_000, False),
        PackageSize("small", 500_000, True),
    ]
    lines = [line.split() for line in size_report(sizes, largest=2).splitlines()[1:]]
    assert lines == [
        ["5.0", "big", "run", "time"],
        ["2.0", "tool", "development"],
        ["5.5", "2", "packages", "run", "time"],
        ["2.0", "1", "packages", "development"],
        ["7.5", "3", "packages", "all"],
    ]


def test_this_environment_has_packages_of_both_kinds() -> None:
    at_run_time = {package.name: package.at_run_time for package in package_sizes()}
    assert (at_run_time["tensorflow"], at_run_time["pytest"]) == (True, False)
