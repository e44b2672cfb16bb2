"""How much of the disk each package takes, with its bytecode."""

import os
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from dependencies.closure import installed_closure, run_time_requirements

MEGABYTE = 1e6


class PackageSize(NamedTuple):
    """One package; `size` in bytes."""

    name: str
    size: int
    at_run_time: bool


def package_sizes() -> list[PackageSize]:
    """Return every installed package of this environment, the largest first."""
    run_time = installed_closure(run_time_requirements())
    sizes = [
        PackageSize(name, size_on_disk(package), name in run_time)
        for package in distributions()
        for name in [canonicalize_name(package.metadata["Name"])]
    ]
    return sorted(sizes, key=lambda package: (-package.size, package.name))


def size_on_disk(package: Distribution) -> int:
    """Return the bytes of the files that are there, and of what Python compiled of them."""
    listed = {Path(str(package.locate_file(file))) for file in package.files or ()}
    compiled = {Path(cache_from_source(str(path))) for path in listed if path.suffix == ".py"}
    return sum(size for path in listed | compiled if (size := _size(path)) is not None)


def _size(path: Path) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        # Not all that a package lists is there, nor is all of it compiled.
        return None


def size_report(packages: Iterable[PackageSize], largest: int = 15) -> str:
    """Return the `largest` packages and the sums as a table; sizes in MB of 10^6 bytes."""
    packages = list(packages)
    lines = [
        f"{package.size / MEGABYTE:9.1f}  {package.name:32}{_use(package.at_run_time)}"
        for package in packages[:largest]
    ]
    for label, chosen in (
        ("run time", [package for package in packages if package.at_run_time]),
        ("development", [package for package in packages if not package.at_run_time]),
        ("all", packages),
    ):
        lines.append(
            f"{sum(package.size for package in chosen) / MEGABYTE:9.1f}  {f'{len(chosen)} packages':32}{label}"
        )
    return "\n".join(["       MB  package                         needed for", *lines])


def _use(at_run_time: bool) -> str:
    return "run time" if at_run_time else "development"
