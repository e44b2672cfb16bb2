"""Strategies by name, and the hash of the code that makes their results."""

import ast
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from strades_pipelines.strategy import library
from strades_pipelines.strategy.strategy import Strategy

PACKAGE = Path(__file__).parents[1]
LIBRARY = f"{library.__name__}."
INSTALLED = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
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
            _source(Path(str(modules[-1].__file__)))  # as it was loaded: it may be edited meanwhile
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            faults[found.name] = f"{found.name}.py does not import: {type(error).__name__}: {said}"
    _engine_hash(PACKAGE)
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
    """SHA-256 over the source of a strategy and of everything below it that shapes its results.

    Its source are the files of its classes, the bases' too, and of what these import from the library or, a file of the
    user's, from its own folder. All as they were when this process loaded them.
    """
    strategy: Any = type(instance)  # hashable, whatever mypy makes of its instances
    return _class_hash(strategy, PACKAGE)


@cache
def _class_hash(strategy: type[Strategy], package: Path) -> str:
    digest = hashlib.sha256(_engine_hash(package).encode())
    for file in sorted(own_sources(strategy), key=lambda file: (file.name, str(file))):
        digest.update(file.name.encode() + b"\0" + _source(file))
    return digest.hexdigest()


@cache
def _engine_hash(package: Path) -> str:
    digest = hashlib.sha256()
    for file in _engine_sources(package):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def own_sources(strategy: type[Strategy]) -> set[Path]:
    """The files of a strategy that are not below it (`_engine_sources`), nor installed beside Strades."""
    return sources_of(
        Path(str(sys.modules[base.__module__].__file__)) for base in strategy.__mro__[:-1] if _is_own(base)
    )


def sources_of(files: Iterable[Path]) -> set[Path]:
    """Files, and those of the library or of their own folder that they import."""
    new, found = list(files), set[Path]()
    while new:
        file = new.pop()
        if file not in found:
            found.add(file)
            new += _imported_beside(file)
    return found


def _is_own(base: type) -> bool:
    """Whether a class is of the library or of a file of the user's."""
    file = getattr(sys.modules.get(base.__module__), "__file__", None)
    if file is None or base.__module__.startswith(LIBRARY):
        return file is not None
    return not any(Path(file).is_relative_to(folder) for folder in (PACKAGE, *INSTALLED))


def _imported_beside(file: Path) -> Iterator[Path]:
    """The files of the library, and of its own folder, that a file imports."""
    for node in ast.walk(ast.parse(_source(file))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module or ''}.{alias.name}" for alias in node.names)]
        for name in names:
            is_ours = name.startswith(LIBRARY)
            folder = Path(library.__path__[0]) if is_ours else file.parent
            beside = folder.joinpath(*name.removeprefix(LIBRARY).split(".")).with_suffix(".py")
            if name and beside.is_file():
                yield beside


def _source(file: Path) -> bytes:
    """The bytes of a file; of one of the library as they were when it was loaded."""
    return _library_source(file) if file.is_relative_to(PACKAGE) else file.read_bytes()


@cache
def _library_source(file: Path) -> bytes:
    return file.read_bytes()


def _engine_sources(package: Path) -> Iterator[Path]:
    """Everything below a strategy, indicators and tactics too; the other strategies of the library apart."""
    for room in ROOMS:
        root = package / room
        yield from (path for path in sorted(root.rglob("*.py")) if path.relative_to(root).parts[0] != "library")
