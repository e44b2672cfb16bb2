"""Objects and lists that have two names: laid out, each name would have a copy of its own."""

import ast
import inspect
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from strades_pipelines.compiler.function_source import read_source
from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.compiler.object_shapes import is_plain, listed
from strades_pipelines.compiler.shapes import SCALARS


class Place(NamedTuple):
    """A way to an object: what to call it, and the attribute that it begins at."""

    path: str
    owner: type
    attribute: str


OUTSIDE = Place("a part of the engine", object, "")


def check_aliases(root: Any, name: str, known: Container[int] = ()) -> set[int]:
    """See that no list or object under `root` is reached in two ways; returns the ids of all of them.

    What a class names in `references` is no second way: it must be the root's own part of that name.

    Args:
        name: what to call the root.
        known: the ids of objects beside it, which nothing under it may be.

    Raises:
        NotCompilable: with a line for each second name.
    """
    seen: dict[int, Place] = {}
    reasons = []
    stack = [(root, Place(name, type(root), ""))]
    while stack:
        value, place = stack.pop()
        # Two names for one tuple are no matter: what it holds is looked at by itself.
        if type(value) is not tuple:
            first = OUTSIDE if id(value) in known else seen.get(id(value))
            if first:
                second = max(first, place, key=lambda one: one.path.count("."))
                paths = " and ".join(sorted((first.path, place.path), key=len))
                where = where_set(second.owner, second.attribute)
                reasons.append(f"{where}: {paths} are the same {type(value).__name__}")
                continue
            seen[id(value)] = place
        ids = set(map(id, value)) if isinstance(value, list) and _are_leaves(value) else set()
        is_new = ids and len(ids) == len(value) and seen.keys().isdisjoint(ids) and not any(one in known for one in ids)
        if is_new:
            seen |= dict.fromkeys(ids, Place(f"{place.path}[...]", place.owner, place.attribute))
        else:
            reasons += _wrong_references(value, place, root, name)
            stack += reversed(list(_parts(value, place)))
    if reasons:
        raise NotCompilable("\n".join(reasons))
    return set(seen)


def _are_leaves(values: list[Any]) -> bool:
    """Whether some objects hold numbers alone, as those of most lists do, of orders above all."""
    return all(map(is_plain, values)) and all(SCALARS.keys() >= set(map(type, vars(one).values())) for one in values)


def _parts(value: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    """The lists and objects in a value that have a place in the arrays."""
    if isinstance(value, list | tuple):
        if value and all(map(is_plain, value)):
            path, owner, attribute = place
            yield from ((one, Place(f"{path}[{k}]", owner, attribute)) for k, one in enumerate(value))
    elif not hasattr(type(value), "compiled_as"):
        state = vars(value)
        if SCALARS.keys() >= set(map(type, state.values())):
            return
        references = listed(value, "references")
        for name, part in state.items():
            if name not in references and type(part) not in SCALARS and (type(part) in (list, tuple) or is_plain(part)):
                yield part, Place(f"{place.path}.{name}", type(value), name)


def _wrong_references(value: Any, place: Place, root: Any, root_name: str) -> Iterator[str]:
    """A line for each reference of an object that is not the root's part of its name."""
    if isinstance(value, list | tuple):
        return
    for name in listed(value, "references"):
        if value is root or vars(root).get(name) is not vars(value)[name]:
            yield f"{where_set(type(value), name)}: {place.path}.{name} is not {root_name}.{name}"


def where_set(cls: type, attribute: str) -> str:
    """`<file>:<line>` of where a class sets an attribute: in its methods, else of the class itself."""
    for part in cls.__mro__[:-1]:
        for function in vars(part).values():
            if inspect.isfunction(function):
                try:
                    source = read_source(function)
                except NotCompilable:
                    continue
                for node in ast.walk(source.tree):
                    if isinstance(node, ast.Attribute) and node.attr == attribute and isinstance(node.ctx, ast.Store):
                        return source.where(node)
    try:
        return f"{inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):
        return cls.__qualname__
