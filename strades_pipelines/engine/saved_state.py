"""The state of objects as plain data, and back into objects of the same make.

Data is written into objects that the program has made itself. It names classes only to be compared with theirs: none is
imported or called by name, so that data which somebody edited changes numbers and texts, and runs nothing.
"""

from array import array
from collections import deque
from collections.abc import Collection
from typing import Any

SCALARS = (bool, int, float, str, type(None))


class NotSavable(ValueError):
    """An object holds something whose state is no plain data; says where."""


class NotRestorable(ValueError):
    """Data does not fit the objects it is to be written into; says where."""


class _Plain:
    """What an instance of a class written in Python takes: one that is larger keeps state out of sight."""


def save(obj: object, *, without: Collection[str] = ()) -> Any:
    """The state of an object and of all that hangs on it: scalars, lists, tuples, sets, dicts, queues, objects.

    Two names of one list or object stay that. A float that is not finite stays a float, as Python's JSON has it.

    Args:
        without: what is left out, as paths of attributes from the object: `part.name`.

    Raises:
        NotSavable: for a value of another kind.
    """
    return _Saver(without).save_object(obj, "")


def restore(obj: object, saved: Any, *, without: Collection[str] = ()) -> None:
    """Write what `save` gave into a fresh object, in place.

    Raises:
        NotRestorable: it is of another make than the saved one; the object is of no use any more.
    """
    try:
        _Restorer(without).restore_object(obj, saved, "")
    except NotRestorable:
        # It is a ValueError itself.
        raise
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise NotRestorable(f"{type(error).__name__}: {error}") from None


def _is_plain(value: object) -> bool:
    cls = type(value)
    # Objects with slots, or of C extensions, are larger: `vars` would miss a part of their state.
    same_size = cls.__basicsize__ == _Plain.__basicsize__ and cls.__itemsize__ == 0
    return same_size and hasattr(value, "__dict__") and not callable(value)


def _title(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


class _Saver:
    def __init__(self, without: Collection[str]) -> None:
        self._without = {f".{path}" for path in without}
        self._places: dict[int, str] = {}

    def save_object(self, obj: object, place: str) -> Any:
        kept = ((f"{place}.{name}", name, value) for name, value in vars(obj).items())
        state = {name: self._save(value, path) for path, name, value in kept if path not in self._without}
        return {"class": _title(obj), "state": state}

    def _save(self, value: Any, place: str) -> Any:
        cls = type(value)
        if cls in SCALARS:
            return value
        if cls is tuple:
            return {"tuple": self._save_all(value, place)}
        # All of them live while it is saved: no `id` is given twice.
        if id(value) in self._places:
            return {"same": self._places[id(value)]}
        self._places[id(value)] = place
        if cls is list:
            return list(value) if {*map(type, value)} <= {*SCALARS} else {"list": self._save_all(value, place)}
        if cls is deque:
            return {"deque": self._save_all(value, place)}
        if cls is array:
            return {"array": value.tolist()}
        if cls is set:
            # Sorted, since the order of a set of texts differs between processes: equal states are equal data.
            return {"set": sorted(map(self._scalar, value, [place] * len(value)), key=repr)}
        if cls is dict:
            return {
                "dict": [[self._scalar(key, place), self._save(one, f"{place}[{key!r}]")] for key, one in value.items()]
            }
        if _is_plain(value):
            return self.save_object(value, place)
        raise NotSavable(f"{place}: a {_title(value)} is no plain data")

    def _save_all(self, values: Any, place: str) -> list[Any]:
        return [self._save(value, f"{place}[{k}]") for k, value in enumerate(values)]

    def _scalar(self, value: Any, place: str) -> Any:
        if type(value) not in SCALARS:
            raise NotSavable(f"{place}: a {_title(value)} as a key is no plain data")
        return value


class _Restorer:
    def __init__(self, without: Collection[str]) -> None:
        self._without = {f".{path}" for path in without}
        self._restored: dict[str, Any] = {}
        self._ids: set[int] = set()

    def restore_object(self, obj: object, saved: Any, place: str) -> None:
        if saved["class"] != _title(obj):
            raise NotRestorable(f"{place}: expected a {_title(obj)}, was a {saved['class']}")
        fresh = vars(obj)
        for name, value in saved["state"].items():
            # An attribute of this name would hide the method: edited data could change what code does.
            if callable(getattr(type(obj), name, None)):
                raise NotRestorable(f"{place}.{name}: expected a method, was data")
            fresh[name] = self._restore(fresh.get(name), value, f"{place}.{name}")
        if gone := {name for name in set(fresh) - set(saved["state"]) if f"{place}.{name}" not in self._without}:
            raise NotRestorable(f"{place}: expected {', '.join(sorted(gone))}, was absent")

    def _restore(self, fresh: Any, saved: Any, place: str) -> Any:
        if type(saved) in SCALARS:
            return saved
        if type(saved) is list:
            return self._fill_list(fresh, saved, place)
        if "same" in saved:
            if fresh is not self._restored[saved["same"]]:
                raise NotRestorable(f"{place}: expected something of its own, was {saved['same']}")
            return fresh
        if "class" in saved:
            if not _is_plain(fresh):
                raise NotRestorable(f"{place}: expected a {_title(fresh)}, was a {saved['class']}")
            self._note(fresh, place)
            self.restore_object(fresh, saved, place)
            return fresh
        [(kind, content)] = saved.items()
        return getattr(self, f"_fill_{kind}")(fresh, content, place)

    def _note(self, fresh: Any, place: str) -> None:
        """Keep what lies at a place; what lies at two in a fresh object has to in the data."""
        if id(fresh) in self._ids:
            raise NotRestorable(f"{place}: expected to be another name of something, was its own")
        self._ids.add(id(fresh))
        self._restored[place] = fresh

    def _own(self, fresh: Any, cls: type, place: str) -> Any:
        """The fresh container; a new one where there is none of this kind yet."""
        own = fresh if type(fresh) is cls else cls()
        self._note(own, place)
        return own

    def _all(self, fresh: Any, content: list[Any], place: str) -> list[Any]:
        old = list(fresh) if isinstance(fresh, list | tuple | deque) else []
        return [self._restore(old[k] if k < len(old) else None, one, f"{place}[{k}]") for k, one in enumerate(content)]

    def _fill_list(self, fresh: Any, content: list[Any], place: str) -> list[Any]:
        own: list[Any] = self._own(fresh, list, place)
        # In place: another attribute may be a second name of this list.
        own[:] = self._all(fresh, content, place)
        return own

    def _fill_tuple(self, fresh: Any, content: list[Any], place: str) -> tuple[Any, ...]:
        return tuple(self._all(fresh, content, place))

    def _fill_deque(self, fresh: Any, content: list[Any], place: str) -> Any:
        # Saved data has no `maxlen`: only the fresh queue knows it.
        if type(fresh) is not deque:
            raise NotRestorable(f"{place}: expected a queue of a known length, was none")
        self._note(fresh, place)
        old = self._all(fresh, content, place)
        fresh.clear()
        fresh.extend(old)
        return fresh

    def _fill_array(self, fresh: Any, content: list[Any], place: str) -> Any:
        self._note(fresh, place)
        fresh[:] = array(fresh.typecode, content)
        return fresh

    def _fill_set(self, fresh: Any, content: list[Any], place: str) -> set[Any]:
        own: set[Any] = self._own(fresh, set, place)
        own.clear()
        own.update(content)
        return own

    def _fill_dict(self, fresh: Any, content: list[Any], place: str) -> dict[Any, Any]:
        own: dict[Any, Any] = self._own(fresh, dict, place)
        old = dict(own)
        own.clear()
        for key, value in content:
            own[key] = self._restore(old.get(key), value, f"{place}[{key!r}]")
        return own
