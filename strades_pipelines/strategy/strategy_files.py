"""A strategy as it is named on a command line: NAME of the library, or FILE.py:Class; and its parameters."""

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.strategy.file_reads import SILENT
from strades_pipelines.strategy.module_state import ModuleState
from strades_pipelines.strategy.registry import faults, strategies
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.system.regular_files import read_regular

MOST_BYTES = 10_000_000
STATES: dict[str, ModuleState] = {}  # by the module of the strategy's file
BOOLEANS = {"true": True, "false": False}


def load_strategy(named: str, *, fresh: bool = False) -> type[Strategy]:
    """The class of a strategy.

    Args:
        named: a name of the library, `FILE.py:Class`, or `FILE.py` for a file with one strategy.
        fresh: import a file again, though this process has its module.

    Raises:
        BadInput: for a name, file or class that is not there; for a file that does not import with the line at fault.
    """
    path, _, name = named.rpartition(":") if ".py:" in named else (named, "", "")
    if path.endswith(".py"):
        return _class_of(Path(path), name, fresh=fresh)
    if named not in strategies():
        known = f"expected FILE.py:Class or one of {', '.join(sorted(strategies()))}; found {named!r}"
        raise BadInput(f"strategy: {faults().get(named, known)}")
    return strategies()[named]


def load_function(path: Path, name: str) -> Callable[..., Any]:
    """A function of a file.

    Raises:
        BadInput: there is none of that name, or the file does not import, with the line at fault.
    """
    found = vars(_imported(path)).get(name)
    if not inspect.isfunction(found):
        raise BadInput(f"{path.name}: expected a function {name}, found none")
    return found


def make_strategy(cls: type[Strategy], given: dict[str, Any]) -> Strategy:
    """A strategy with its parameters; what its file's module holds is again what its import left there.

    Raises:
        BadInput: for a parameter that does not exist, and for values that its constructor refuses.
    """
    if (state := module_state(cls)) is not None:
        state.restore()
    try:
        return cls(**given)
    except ValueError as error:
        raise BadInput(str(error)) from None


def module_state(cls: type[Strategy]) -> ModuleState | None:
    """What the module of a strategy's file held when it was imported, and those beside it; None for the library's."""
    return STATES.get(cls.__module__)


def parameters(cls: type[Strategy], given: Iterable[str]) -> dict[str, Any]:
    """Values of parameters from texts `name=value`, as the types that the class declares.

    Raises:
        BadInput: for what is not `name=value`, a name that is not declared or given twice, and a value of another type.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"{cls.title()}: expected a parameter as name=value, found {text!r}")
        if name in found:
            raise BadInput(f"{cls.title()}: parameter {name}: expected one value, found another, {value!r}")
        found[name] = value_of(cls, name, value)
    return found


def value_of(cls: type[Strategy], name: str, text: str) -> Any:
    """A text as the type that a class declares for a parameter."""
    declared = cls.declared()
    if name not in declared:
        known = ", ".join(declared) or "none"
        raise BadInput(f"{cls.title()}: parameter {name}: expected one of {known}; found {name!r}")
    kind = declared[name]
    try:
        return BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise BadInput(f"{cls.title()}: parameter {name}: expected {kind.__name__}, found {text!r}") from None


def silent_libraries(cls: type[Strategy]) -> set[str]:
    """The libraries among what a strategy's file imported that read files unheard, as `library NAME`."""
    module = sys.modules[cls.__module__]
    roots = {
        (member.__name__ if isinstance(member, ModuleType) else getattr(member, "__module__", None) or "").partition(
            "."
        )[0]
        for member in vars(module).values()
    }
    return {f"library {name}" for name in roots & SILENT}


def _class_of(path: Path, name: str, *, fresh: bool = False) -> type[Strategy]:
    module = _imported(path, fresh=fresh)
    found = {
        key: member
        for key, member in vars(module).items()
        if inspect.isclass(member) and issubclass(member, Strategy) and member.__module__ == module.__name__
    }
    if not name and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        known = ", ".join(found) or "none"
        raise BadInput(
            f"{path}: expected a strategy of this file ({known}), found {name or 'no name behind the file'!r}"
        )
    return found[name]


def _imported(path: Path, *, fresh: bool = False) -> ModuleType:
    """The module of a file, once a process for each content: strategies are told apart by where they were defined."""
    try:
        content = read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: expected a readable strategy file, found {error.strerror}") from None
    # The same content may import other modules from beside it elsewhere.
    digest = hashlib.sha256(str(path.resolve()).encode() + b"\0" + content).hexdigest()[:16]
    name = f"strades_strategy_{digest}"
    if name in sys.modules and not fresh:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    assert spec is not None
    module = module_from_spec(spec)
    # While it runs, too: `dataclass` looks its module up there.
    sys.modules[name] = module
    try:
        with _beside(path.resolve().parent) as others:
            # Not by its loader: bytecode that is kept is told from its source by size and second only.
            exec(compile(content, str(path), "exec"), vars(module))
        STATES[name] = ModuleState([module, *others])
    except BaseException as error:
        # A file may also end by `sys.exit`, which is no Exception.
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise BadInput(f"{_line_of(path, error)}: {type(error).__name__}: {_said(error)}") from None
    return module


@contextmanager
def _beside(folder: Path) -> Iterator[list[ModuleType]]:
    """Let a strategy's file import modules of its own folder, which no other file gets by their names.

    Those it imported are in the list when the block is left.
    """
    known = set(sys.modules)
    others: list[ModuleType] = []
    sys.path.insert(0, str(folder))
    try:
        yield others
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).resolve().is_relative_to(folder):
                others.append(sys.modules.pop(name))


def _line_of(path: Path, error: BaseException) -> str:
    """`FILE:LINE`: the last line of the file that led to the error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _said(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)
