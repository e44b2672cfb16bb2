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

from strades_pipelines.strategy.compiler.program import Source, method_of, read_source
from strades_pipelines.strategy.compiler.shapes import SCALARS, Field, Shape
from strades_pipelines.strategy.compiler.values import NotCompilable

UPDATE = "update"
# What a part of a statement may leave out, so that an update in it may not happen.
FORKS = (ast.BoolOp, ast.IfExp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Indicator:
    """An indicator that can be updated ahead.

    Args:
        name: the strategy's attribute; a list with one for each instrument where `entry` is a list.
        arguments: the bar's numbers that it takes.
        numbers: its attributes that are read after the update, or hold what that returned.
        returned_as: which of them that is, where it is plain to see.
    """

    name: str
    entry: Field
    shape: Shape
    arguments: tuple[str, ...]
    numbers: tuple[str, ...]
    returned_as: str | None

    @property
    def is_listed(self) -> bool:
        """Whether there is a list of them, of any length but one."""
        return self.entry.kind == "objects"


@dataclass(frozen=True)
class Use:
    """A place where something is asked of an indicator: which attribute, in which statement of the hook."""

    attribute: ast.Attribute
    statement: int

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self.attribute.attr


class BarHook:
    """The hook for bars of a strategy, its statements looked through for indicators."""

    def __init__(self, shape: Shape, source: Source, numbers: Sequence[str]) -> None:
        self.shape, self.body, self.known = shape, source.tree.body, numbers
        self.me, self.bar = (argument.arg for argument in source.tree.args.args[:2])
        nodes = list(ast.walk(source.tree))
        self.stored = Counter(node.id for node in nodes if isinstance(node, ast.Name) and not _is_load(node))
        self.loaded = Counter(node.id for node in nodes if isinstance(node, ast.Name) and _is_load(node))
        self.aliases = {
            name: value for name, value in self._assigned() if self.stored[name] == 1 and not isinstance(value, ast.Name)
        }
        self.uses: dict[str, list[Use]] = {}
        for k, statement in enumerate(self.body):
            for node in ast.walk(statement):
                if isinstance(node, ast.Attribute) and (name := self.indicator(node.value)):
                    self.uses.setdefault(name, []).append(Use(node, k))

    def _assigned(self) -> Iterator[tuple[str, ast.expr]]:
        """The names that each statement of its own gives to something."""
        for line in self.body:
            if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
                yield line.targets[0].id, line.value

    def indicator(self, node: ast.AST) -> str | None:
        """The attribute of the strategy whose indicator for the bar's instrument an expression stands for."""
        if isinstance(node, ast.Name) and node.id in self.aliases and node.id not in (self.me, self.bar):
            return self.indicator(self.aliases[node.id])
        listed = isinstance(node, ast.Subscript) and self.number(node.slice) == "i"
        held = node.value if isinstance(node, ast.Subscript) and listed else node
        if not (isinstance(held, ast.Attribute) and isinstance(held.value, ast.Name) and held.value.id == self.me):
            return None
        entry = self.shape.get(held.attr)
        is_list = entry is not None and (entry.kind == "objects" or entry.single)
        fits = entry is not None and entry.kind in ("object", "objects") and is_list == listed
        return held.attr if fits else None

    def number(self, node: ast.expr) -> str | None:
        """The number of the bar that an expression stands for."""
        if isinstance(node, ast.Name) and node.id in self.aliases:
            return self.number(self.aliases[node.id])
        is_bar = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self.bar
        return node.attr if is_bar and isinstance(node, ast.Attribute) else None

    def mentions(self, name: str) -> int:
        """How often an indicator is mentioned here by a name of its own."""
        return sum(self.loaded[alias] for alias, value in self.aliases.items() if self.indicator(value) == name)

    def accounted(self, name: str) -> int:
        """How many mentions of it are an attribute's, or give it a name of its own."""
        return len(self.uses[name]) + sum(self.indicator(value) == name for value in self.aliases.values())

    def update(self, name: str) -> tuple[int, ast.Call] | None:
        """Its only update and the statement that always comes to it, if that is so."""
        calls = [use for use in self.uses[name] if use.name == UPDATE]
        if len(calls) != 1:
            return None
        at = calls[0].statement
        leaves = any(isinstance(node, ast.Return) for line in self.body[:at] for node in ast.walk(line))
        line = self.body[at]
        part = line.test if isinstance(line, ast.If) else getattr(line, "value", None)
        if leaves or part is None or not isinstance(line, ast.Assign | ast.AnnAssign | ast.Expr | ast.If):
            return None
        found = [node for node in _always(part) if isinstance(node, ast.Call) and node.func is calls[0].attribute]
        return (at, found[0]) if found else None

    def arguments(self, call: ast.Call) -> tuple[str, ...] | None:
        """The bar's numbers that a call takes, if it takes nothing else."""
        names = [self.number(argument) for argument in call.args]
        taken = tuple(name for name in names if name in self.known and name != "i")
        return taken if len(taken) == len(names) and not call.keywords else None


def _is_load(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _always(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression that are evaluated whatever the others come to."""
    if isinstance(node, FORKS) or (isinstance(node, ast.Compare) and len(node.ops) > 1):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _always(child)


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
        found = BarHook(shape, read_source(function), numbers)
        others = list(_compiled(shape.cls, base))
    except NotCompilable:
        return ()
    if any(found.stored[name] for name in (found.me, found.bar)) or any(map(_hands_itself_on, others)):
        return ()
    named = Counter(node.attr for tree in others for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    if named[hook]:
        return ()
    made = (_indicator(found, name, named[name]) for name in found.uses)
    return tuple(one for one in made if one is not None)


def _compiled(cls: type, base: type) -> Iterator[ast.FunctionDef]:
    """What may be compiled of a strategy: its methods and properties, but for those that Python alone runs."""
    for part in cls.__mro__[: cls.__mro__.index(base)]:
        for name, held in vars(part).items():
            function = held.fget if isinstance(held, property) else held
            if inspect.isfunction(function) and name not in ("__init__", "on_start", "on_stop", "explain"):
                yield read_source(function).tree


def _hands_itself_on(tree: ast.FunctionDef) -> bool:
    """Whether the first argument is anything but the owner of attributes."""
    if not tree.args.args:
        return False
    me = tree.args.args[0].arg
    nodes = list(ast.walk(tree))
    names = sum(isinstance(node, ast.Name) and node.id == me for node in nodes)
    return names != sum(isinstance(node, ast.Attribute) and _is_name(node.value, me) for node in nodes)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _indicator(hook: BarHook, name: str, named: int) -> Indicator | None:
    entry, found = hook.shape.get(name), hook.update(name)
    if entry is None or entry.shape is None or found is None or named + hook.mentions(name) != hook.accounted(name):
        return None
    at, call = found
    arguments = hook.arguments(call)
    update = method_of(entry.shape.cls, UPDATE)
    reads = [use for use in hook.uses[name] if use.name != UPDATE]
    if arguments is None or update is None or getattr(update, "is_rare", False):
        return None
    if not all(use.statement > at and _reads(use) for use in reads):
        return None
    read = [slots_of(entry.shape, use.name) for use in reads]
    if None in read:
        return None
    returned_as = _returned_as(read_source(update).tree)
    if returned_as is not None:
        read.append(slots_of(entry.shape, returned_as))
    numbers = sorted({slot for slots in read for slot in slots or ()})
    return Indicator(name, entry, entry.shape, arguments, tuple(numbers), returned_as)


def _reads(use: Use) -> bool:
    return isinstance(use.attribute.ctx, ast.Load)


def slots_of(shape: Shape, name: str) -> tuple[str, ...] | None:
    """The numbers of an object that an attribute is, or that a property is made of; None for any other."""
    entry, held = shape.get(name), inspect.getattr_static(shape.cls, name, None)
    if entry is not None:
        return (name,) if entry.kind in SCALARS.values() and not entry.single else None
    if not isinstance(held, property) or held.fget is None:
        return None
    tree = read_source(held.fget).tree
    if _hands_itself_on(tree):
        return None
    me = tree.args.args[0].arg
    own = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_name(node.value, me)]
    found = [slots_of(shape, one) for one in own]
    return None if None in found else tuple(slot for slots in found for slot in slots or ())


def _returned_as(tree: ast.FunctionDef) -> str | None:
    """The attribute that holds what a method returns: each return is of it, or of what was put there just before."""
    found: set[str | None] = set()
    for block in _blocks(tree):
        for k, line in enumerate(block):
            if isinstance(line, ast.Return):
                found.add(_own(tree, line.value) or _own(tree, _target_of(block[k - 1], line.value) if k else None))
    return found.pop() if len(found) == 1 else None


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """All runs of statements."""
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            if isinstance(block := getattr(node, name, None), list):
                yield block


def _target_of(line: ast.stmt, value: Any) -> ast.expr | None:
    """Where a statement puts the local number of this name."""
    fits = isinstance(line, ast.Assign) and isinstance(value, ast.Name) and _is_name(line.value, value.id)
    return line.targets[0] if isinstance(line, ast.Assign) and fits and len(line.targets) == 1 else None


def _own(tree: ast.FunctionDef, node: ast.expr | None) -> str | None:
    """The attribute of the first argument that an expression is."""
    is_own = isinstance(node, ast.Attribute) and _is_name(node.value, tree.args.args[0].arg)
    return node.attr if is_own and isinstance(node, ast.Attribute) else None
