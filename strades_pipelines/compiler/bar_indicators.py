"""Which indicators of a strategy depend on bars alone: they can be updated ahead of the loop over events.

Such an indicator takes numbers of each bar, in the hook for bars and on every way through it, and is read in that hook
alone, after its update. So nothing of the engine changes it, and nobody sees what it was before.
"""

import ast
import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from strades_pipelines.compiler.bar_hook import UPDATE, BarHook, is_expression, is_name
from strades_pipelines.compiler.function_source import method_of, read_source
from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.compiler.shapes import SCALARS, Field, Shape

IN_PYTHON = ("__init__", "on_start", "on_stop", "explain")  # never compiled


@dataclass(frozen=True)
class Indicator:
    """An indicator that can be updated ahead.

    Args:
        name: the strategy's attribute; `entry` says where in the strategy it lies.
        shape: its own, or that of each where there is one for each instrument.
        arguments: the bar's numbers that it takes.
        numbers: its attributes that are read after the update, or hold what that returned.
        is_returned: whether what the update returns is used.
        returned_as: which of the numbers that is, where it is plain to see.
    """

    name: str
    entry: Field
    shape: Shape
    arguments: tuple[str, ...]
    numbers: tuple[str, ...]
    is_returned: bool
    returned_as: str | None

    @property
    def is_listed(self) -> bool:
        """Whether there is a list of them, of any length but one."""
        return self.entry.kind == "objects"


def find_indicators(shape: Shape, hook: str, base: type, numbers: Sequence[str]) -> tuple[Indicator, ...]:
    """The indicators of a strategy that can be updated ahead.

    Args:
        shape: the strategy's.
        hook: the method that bars come to.
        base: the class of all strategies, whose own hooks do nothing.
        numbers: what there is of a bar.
    """
    function = method_of(shape.cls, hook)
    if function is None or not issubclass(shape.cls, base) or function is method_of(base, hook):
        return ()
    try:
        tree, trees = read_source(function).tree, list(_compiled(shape.cls, base))
        found = BarHook(shape, tree) if len(tree.args.args) == 3 else None
    except NotCompilable:
        return ()
    named = Counter(node.attr for one in trees for node in ast.walk(one) if isinstance(node, ast.Attribute))
    # What calls the hook itself, or hands the strategy to a function, may update what it likes.
    if found is None or named[hook] or any(map(_hands_itself_on, trees)):
        return ()
    # A name that is set anew is the strategy, or the bar, no longer.
    if found.stored[found.me] or found.stored[found.bar]:
        return ()
    alone = [name for name in found.uses if found.is_used_alone(name, named[name])]
    made = (_indicator(found, name, numbers) for name in alone)
    return tuple(one for one in made if one is not None)


def _compiled(cls: type, base: type) -> Iterator[ast.FunctionDef]:
    """The methods and properties of a strategy that may be compiled; mixins may stand behind the base class."""
    for part in (part for part in cls.__mro__ if part not in base.__mro__):
        for name, held in vars(part).items():
            function = held.fget if isinstance(held, property) else held
            if inspect.isfunction(function) and name not in IN_PYTHON:
                yield read_source(function).tree


def _hands_itself_on(tree: ast.FunctionDef) -> bool:
    """Whether the first argument is anything but the owner of attributes."""
    if not tree.args.args:
        return False
    me, nodes = tree.args.args[0].arg, list(ast.walk(tree))
    owners = sum(isinstance(node, ast.Attribute) and is_name(node.value, me) for node in nodes)
    return owners != sum(is_name(node, me) for node in nodes)


def _indicator(hook: BarHook, name: str, numbers: Sequence[str]) -> Indicator | None:
    entry, found = hook.shape.get(name), hook.update(name)
    update = method_of(entry.shape.cls, UPDATE) if entry and entry.shape else None
    if found is None or update is None or getattr(update, "is_cold", False):
        return None
    at, call = found
    given = [hook.number(one) for one in call.args]
    arguments = tuple(number for number in given if number is not None and number in numbers and number != "i")
    reads = [use for use in hook.uses[name] if use.name != UPDATE]
    if len(arguments) < len(given) or call.keywords or not all(use.is_read and use.statement > at for use in reads):
        return None
    assert entry is not None
    assert entry.shape is not None
    read = [slots_of(entry.shape, use.name) for use in reads]
    if None in read:
        return None
    is_returned = not is_expression(hook.body[at], call)
    returned_as = _returned_as(read_source(update).tree) if is_returned else None
    read.append(slots_of(entry.shape, returned_as) if returned_as else None)
    slots = sorted({slot for slots in read for slot in slots or ()})
    return Indicator(name, entry, entry.shape, arguments, tuple(slots), is_returned, returned_as)


def slots_of(shape: Shape, name: str) -> tuple[str, ...] | None:
    """The numbers of an object that an attribute is, or that a property is made of; None for any other."""
    entry, held = shape.get(name), inspect.getattr_static(shape.cls, name, None)
    if entry is not None:
        return (name,) if entry.kind in SCALARS.values() and not entry.single else None
    if not isinstance(held, property) or held.fget is None:
        return None
    tree = read_source(held.fget).tree
    if _hands_itself_on(tree) or any(is_name(node, "super") for node in ast.walk(tree)):
        return None
    me, found = tree.args.args[0].arg, set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_name(node.value, me):
            slots = slots_of(shape, node.attr)
            if slots is None:
                return None
            found |= set(slots)
    return tuple(found)


def _returned_as(tree: ast.FunctionDef) -> str | None:
    """The attribute that holds what a method returns: each return is of it, or of what was put there just before."""
    found: set[str | None] = set()
    blocks: Iterator[Any] = (getattr(node, name, None) for node in ast.walk(tree) for name in ("body", "orelse"))
    for block in blocks:
        for k, line in enumerate(block if isinstance(block, list) else []):
            if isinstance(line, ast.Return):
                before = _target_of(block[k - 1], line.value) if k else None
                found.add(_own(tree, line.value) or _own(tree, before))
    return found.pop() if len(found) == 1 else None


def _target_of(line: ast.stmt, value: ast.expr | None) -> ast.expr | None:
    """Where a statement puts the local number that an expression is."""
    if not (isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(value, ast.Name)):
        return None
    return line.targets[0] if is_name(line.value, value.id) else None


def _own(tree: ast.FunctionDef, node: ast.expr | None) -> str | None:
    """The attribute of the first argument that an expression is."""
    return node.attr if isinstance(node, ast.Attribute) and is_name(node.value, tree.args.args[0].arg) else None
