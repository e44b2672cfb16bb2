"""Strategies by name, and the hash of the code that makes their results."""

import hashlib
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from strades_pipelines.strategy import library
from strades_pipelines.strategy.strategy import Strategy

PACKAGE = Path(__file__).parents[1]
# What shapes the results of a strategy. By path: a strategy knows nothing of the rooms that run it.
ROOMS = ("bars", "compiler", "engine", "market", "simulation", "strategy")


@cache
def strategies() -> dict[str, type[Strategy]]:
    """The strategies of the library by their names, but for those whose file does not import."""
    members = [member for module in _library()[0] for member in vars(module).values() if inspect.isclass(member)]
    return {member.name: member for member in members if issubclass(member, Strategy) and member.name}


@cache
def _library() -> tuple[list[ModuleType], dict[str, str]]:
    """The modules of the library, and why others do not import, by their names: one bad file stops no other."""
    modules, faults = [], {}
    for found in iter_modules(library.__path__):
        try:
            modules.append(import_module(f"{library.__name__}.{found.name}"))
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            faults[found.name] = f"{found.name}.py does not import: {type(error).__name__}: {said}"
    return modules, faults


def faults() -> dict[str, str]:
    """A line for each file of the library that does not import, by the name its strategy would have."""
    return _library()[1]


def create(name: str, parameters: dict[str, Any]) -> Strategy:
    """A strategy of the library with its parameters.

    Raises:
        ValueError: for a name or a parameter that does not exist, or a file that does not import.
    """
    if name not in strategies():
        known = f"expected one of {', '.join(sorted(strategies()))}, was {name!r}"
        raise ValueError(f"strategy: {faults().get(name, known)}")
    return strategies()[name](**parameters)


def code_hash(instance: Strategy) -> str:
    """SHA-256 over the source of the strategy's module and of everything below it that shapes its results."""
    digest = hashlib.sha256(Path(inspect.getfile(type(instance))).read_bytes())
    for source in _engine_sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _engine_sources() -> Iterator[Path]:
    """Everything below a strategy, indicators and tactics too; the other strategies of the library apart."""
    for room in ROOMS:
        root = PACKAGE / room
        yield from (path for path in sorted(root.rglob("*.py")) if path.relative_to(root).parts[0] != "library")
