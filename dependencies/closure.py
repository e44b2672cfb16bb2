"""The packages that the project needs at run time, on any platform it supports."""

import itertools
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1]
# What pyproject.toml supports: a marker counts when it holds on any of them, so the result is the same on all.
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (
    ("linux", "Linux", "x86_64"),
    ("linux", "Linux", "aarch64"),
    ("darwin", "Darwin", "arm64"),
    ("darwin", "Darwin", "x86_64"),
)
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": platform,
        "platform_system": system,
        "platform_machine": machine,
    }
    for python, (platform, system, machine) in itertools.product(PYTHONS, MACHINES)
]


def run_time_requirements() -> list[str]:
    """Return the requirements of pyproject.toml without its extras."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    requirements: list[str] = project["dependencies"]
    return requirements


def installed_closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Return the installed packages that `requirements` need, directly or not, by canonical name.

    A package that is not installed, because only another platform needs it, is left out.
    """
    found: dict[str, Distribution] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    pending = [(Requirement(line), frozenset[str]()) for line in requirements]
    while pending:
        requirement, extras_of_parent = pending.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in done or not _applies(requirement.marker, ["", *extras_of_parent]):
            continue
        done.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        pending += [(Requirement(line), extras) for line in found[name].requires or ()]
    return dict(sorted(found.items()))


def _applies(marker: Marker | None, extras: Sequence[str]) -> bool:
    """Whether a marker holds on a supported platform with one of `extras`."""
    choices = itertools.product(ENVIRONMENTS, extras)
    return marker is None or any(marker.evaluate({**environment, "extra": extra}) for environment, extra in choices)
