"""NOTICE.md: the licence of every package at run time, and the check that the file is true."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from dependencies.closure import PROJECT, installed_closure, run_time_requirements
from dependencies.licences import LicenceError, is_allowed, licence_of

NOTICE = PROJECT / "NOTICE.md"
LOCK = PROJECT / "requirements.lock"
# Below this heading the file is generated; above it people write.
HEADING = "## Every package at run time"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|$", re.MULTILINE)
# `libpq-c07d8585.so.5.18` as auditwheel names a library that it put into a wheel: the name without the hash.
LIBRARY = re.compile(r"(lib.+?)(?:-[0-9a-f]{8})+\.so")


def update_notice() -> None:
    """Write the generated part of NOTICE.md; raise LicenceError when a licence is unknown or not allowed."""
    written, _, _ = NOTICE.read_text().partition(HEADING)
    NOTICE.write_text(f"{written}{HEADING}\n\n{licence_table(current_licences())}")


def problems() -> list[str]:
    """Return one line for each thing that NOTICE.md lacks or has wrong."""
    text = NOTICE.read_text()
    try:
        licences = current_licences()
    except LicenceError as error:
        return [str(error)]
    libraries = bundled_libraries(installed_closure(run_time_requirements()).values())
    missing = [f"NOTICE.md: {name} inside a wheel has no line" for name in libraries if f"`{name}`" not in text]
    if text.partition(HEADING)[2].strip() != licence_table(licences).strip():
        missing.append("NOTICE.md: its table is not that of the installed packages; run `make notice`")
    return missing


def current_licences() -> dict[str, str]:
    """Return the licence of every run-time package, also of those that only another platform installs.

    The latter keep the line they have while requirements.lock names them.
    """
    packages = installed_closure(run_time_requirements())
    locked = set(re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE))
    written = {name: licence for name, licence in ROW.findall(NOTICE.read_text()) if name not in packages}
    elsewhere = {name: licence for name, licence in written.items() if name in locked and not _is_installed(name)}
    return dict(sorted({**elsewhere, **checked_licences(packages)}.items()))


def checked_licences(packages: Mapping[str, Distribution]) -> dict[str, str]:
    """Return the licence of each package; raise LicenceError for the first one that is not allowed."""
    licences = {name: licence_of(package) for name, package in packages.items()}
    for name, expression in licences.items():
        if not is_allowed(expression):
            raise LicenceError(
                f"{name}: {expression} is not on the list of dependencies/licences.py; use another package"
            )
    return licences


def licence_table(licences: Mapping[str, str]) -> str:
    """Return the rows of NOTICE.md."""
    rows = [f"| `{name}` | {expression} |\n" for name, expression in licences.items()]
    return "".join(["| package | licence |\n|---|---|\n", *rows])


def bundled_libraries(packages: Iterable[Distribution]) -> list[str]:
    """Return the shared libraries of others that the wheels hold in their `.libs` folders, as on Linux."""
    files = (file for package in packages for file in package.files or () if Path(file.parts[0]).suffix == ".libs")
    return sorted({found[1] for file in files if (found := LIBRARY.match(file.name))})


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
