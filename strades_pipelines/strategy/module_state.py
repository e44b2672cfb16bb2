"""What the modules of a strategy hold that can change, so that each run begins as their import left it."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from threading import RLock
from types import ModuleType
from typing import Any

import numpy as np

from strades_pipelines.strategy.strategy import CHANGEABLE

GENERATORS = (Random, np.random.Generator, np.random.RandomState)
KEPT = (bool, int, float, complex, str, bytes, tuple, type(None), *GENERATORS, *CHANGEABLE)
Space = Any  # a module, a class, or an object: what has attributes


@dataclass(frozen=True)
class Held:
    """A value that stood under a name, and a copy of what was in it."""

    value: Any
    content: Any


class ModuleState:
    """The globals of some modules as they are now, the attributes of their classes, and of objects of those.

    Numbers, texts, tuples, random generators and the kinds of `CHANGEABLE` are kept. What cannot be copied, or not be
    told from a changed one by comparing it with its copy, is not: a list of locks or of data frames say; nor are
    objects of other modules' classes.
    """

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self._lock = RLock()
        names = {module.__name__ for module in modules}
        self._kept: dict[int, tuple[Space, dict[str, Held | None]]] = {}
        waiting: list[Space] = list(modules)
        while waiting:
            space = waiting.pop()
            if id(space) not in self._kept:
                self._kept[id(space)] = space, dict(_held(space))
                waiting += [one for one in vars(space).values() if _is_of(one, names)]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the modules for one thread: others that would run code of theirs, or put them back, wait.

        Raises:
            ValueError: with the name that changed meanwhile; all is put back.
        """
        with self._lock:
            try:
                yield
                if (name := self.changed()) is not None:
                    raise ValueError(
                        f"it changed {name}, which compiled sets share; keep it in self, or sweep --mode events"
                    )
            except BaseException:
                self.restore()
                raise

    def changed(self) -> str | None:
        """The first name whose value is not what it was; None where there is none."""
        found = next(self._differences(), None)
        return found and f"{getattr(found[0], '__name__', type(found[0]).__name__)}.{found[1]}"

    def restore(self) -> None:
        """Put back what was: into the same lists and objects, which may be known by other names.

        Never raises: what cannot be put back, an array that was made read-only say, stays among what is `changed`.
        """
        for space, name, held in list(self._differences()):
            with suppress(Exception):
                _put_back(space, name, held)

    def _differences(self) -> Iterator[tuple[Space, str, Held | None]]:
        """Each name that holds another value now; without what it held where it came since."""
        for space, kept in self._kept.values():
            now = dict(vars(space))  # a copy: another thread's run may add names meanwhile
            for name, held in kept.items():
                if held is not None and (name not in now or not _same(now[name], held.content)):
                    yield space, name, held
            new = [name for name in now if name not in kept and _is_kept(name, now[name])]
            yield from ((space, name, None) for name in new)


def _is_of(value: Any, modules: set[str]) -> bool:
    """Whether it is a class of such modules, or an object of one or of an indicator, that has attributes."""
    if isinstance(value, type):
        return value.__module__ in modules
    is_indicator = type(value).__module__.startswith("strades_pipelines.strategy.indicators")
    return (is_indicator or type(value).__module__ in modules) and hasattr(value, "__dict__")


def _is_kept(name: str, value: Any) -> bool:
    return not name.startswith("__") and isinstance(value, KEPT)


def _held(space: Space) -> Iterator[tuple[str, Held | None]]:
    """What a space holds by name; None for what cannot be copied or is not the same as its copy: it is left alone."""
    for name, value in vars(space).items():
        if _is_kept(name, value):
            held = None
            with suppress(Exception):
                held = Held(value, deepcopy(value))
            yield name, held if held is not None and _same(value, held.content) else None


def _put_back(space: Space, name: str, held: Held | None) -> None:
    """One name as it was. An object's own `__setattr__` is passed by: that of a frozen dataclass refuses."""
    if isinstance(space, type):
        if held is None:
            type.__delattr__(space, name)
        else:
            type.__setattr__(space, name, _refilled(held))
    elif held is None:
        del space.__dict__[name]
    else:
        space.__dict__[name] = _refilled(held)


def _same(value: Any, content: Any) -> bool:
    """Whether a value is surely what it was; what cannot be compared, a data frame or a circle say, is not."""
    try:
        return _equal(value, content)
    except Exception:
        return False


def _equal(value: Any, content: Any) -> bool:
    """Whether a value equals what it was; not a number is itself.

    Raises:
        Exception: whatever an object's own comparison raises; RecursionError for what holds itself.
    """
    if value is content:
        return True
    if type(value) is not type(content):
        return False
    if isinstance(value, GENERATORS):
        return _equal(_place(value), _place(content))
    if isinstance(value, np.ndarray):
        same_kind = value.shape == content.shape and value.dtype == content.dtype
        return bool(same_kind and value.tobytes() == content.tobytes())
    if isinstance(value, list | tuple | deque):
        return len(value) == len(content) and all(map(_equal, value, content))
    if isinstance(value, dict):
        # In their order, too: what goes over it would come to something else.
        return list(value) == list(content) and all(map(_equal, value.values(), content.values()))
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        return _equal(vars(value), vars(content))
    return bool(value == content) or (value != value and content != content)


def _place(generator: Any) -> Any:
    """Where a random generator stands in its numbers."""
    if isinstance(generator, Random):
        return generator.getstate()
    return generator.get_state() if isinstance(generator, np.random.RandomState) else generator.bit_generator.state


def _set_place(generator: Any, place: Any) -> None:
    if isinstance(generator, Random):
        generator.setstate(place)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(place)
    else:
        generator.bit_generator.state = place


def _refilled(held: Held) -> Any:
    """The same list, dict, set, array or random generator with what was in it; any other value as it was."""
    # A copy once more: the next run changes what it is given.
    value, content = held.value, deepcopy(held.content)
    if isinstance(value, list | bytearray):
        value[:] = content
    elif isinstance(value, np.ndarray) and value.shape == content.shape:
        value[...] = content
    elif isinstance(value, dict | set):
        value.clear()
        value.update(content)
    elif isinstance(value, deque):
        value.clear()
        value.extend(content)
    elif isinstance(value, GENERATORS):
        _set_place(value, _place(content))
    return value
