"""A strategy's hook for bars, looked through for what it asks of its indicators."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from strades_pipelines.compiler.shapes import Shape

UPDATE = "update"
# Expressions whose parts are not all evaluated, or not once.
FORKS = (ast.BoolOp, ast.IfExp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Use:
    """An attribute that is asked of an indicator, and the number of the statement where it is."""

    attribute: ast.Attribute
    statement: int

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self.attribute.attr

    @property
    def is_read(self) -> bool:
        """Whether it is not put there."""
        return isinstance(self.attribute.ctx, ast.Load)


class BarHook:
    """The statements of the hook, and the uses of the indicators in them.

    `uses`: by the names of the strategy's attributes; of a list of indicators, those of the bar's instrument alone.

    Args:
        shape: the strategy's.
        tree: the method, of the strategy itself, the bar and the account.
    """

    def __init__(self, shape: Shape, tree: ast.FunctionDef) -> None:
        self.shape, self.body = shape, tree.body
        self.me, self.bar = (argument.arg for argument in tree.args.args[:2])
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        self.loaded = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
        self.stored = Counter(node.id for node in names if not isinstance(node.ctx, ast.Load))
        # A name that is set twice may stand for either.
        self.aliases = {name: value for name, value in self._assigned() if self.stored[name] == 1}
        self.uses: dict[str, list[Use]] = {}
        for k, statement in enumerate(self.body):
            for node in ast.walk(statement):
                if isinstance(node, ast.Attribute) and (name := self.indicator(node.value)):
                    self.uses.setdefault(name, []).append(Use(node, k))

    def _assigned(self) -> Iterator[tuple[str, ast.expr]]:
        """The local names for attributes and elements."""
        for line in self.body:
            if isinstance(line, ast.Assign) and isinstance(line.value, ast.Attribute | ast.Subscript):
                yield from ((target.id, line.value) for target in line.targets if isinstance(target, ast.Name))

    def indicator(self, node: ast.expr) -> str | None:
        """The attribute of the strategy that an expression is, or is the element of for the bar's instrument."""
        if isinstance(node, ast.Name) and node.id in self.aliases:
            return self.indicator(self.aliases[node.id])
        of_bar = isinstance(node, ast.Subscript) and self.number(node.slice) == "i"
        held = node.value if isinstance(node, ast.Subscript) and of_bar else node
        if not (isinstance(held, ast.Attribute) and is_name(held.value, self.me)):
            return None
        entry = self.shape.get(held.attr)
        if entry is None or entry.kind not in ("object", "objects"):
            return None
        return held.attr if of_bar == (entry.kind == "objects" or entry.single) else None

    def number(self, node: ast.expr) -> str | None:
        """The number of the bar that an expression is."""
        if isinstance(node, ast.Name) and node.id in self.aliases:
            return self.number(self.aliases[node.id])
        return node.attr if isinstance(node, ast.Attribute) and is_name(node.value, self.bar) else None

    def is_used_alone(self, name: str, mentions: int) -> bool:
        """Whether nothing else is done with an indicator than to ask for its attributes.

        Args:
            mentions: how often attributes of its name are mentioned anywhere in the strategy.
        """
        aliases = [alias for alias, value in self.aliases.items() if self.indicator(value) == name]
        return mentions + sum(self.loaded[alias] for alias in aliases) == len(self.uses[name]) + len(aliases)

    def update(self, name: str) -> tuple[int, ast.Call] | None:
        """The only update of an indicator, and the number of its statement, if every bar comes to it."""
        calls = [use for use in self.uses[name] if use.name == UPDATE]
        if len(calls) != 1:
            return None
        at = calls[0].statement
        line = self.body[at]
        value = line.test if isinstance(line, ast.If) else getattr(line, "value", None)
        # A bar for which the hook has returned before does not come to it.
        leaves = any(isinstance(node, ast.Return) for before in self.body[:at] for node in ast.walk(before))
        if leaves or not isinstance(line, ast.Assign | ast.AnnAssign | ast.Expr | ast.If) or value is None:
            return None
        for node in _always(value):
            if isinstance(node, ast.Call) and node.func is calls[0].attribute:
                return at, node
        return None


def is_name(node: ast.AST | None, name: str) -> bool:
    """Whether an expression is this name."""
    return isinstance(node, ast.Name) and node.id == name


def is_expression(line: ast.stmt, node: ast.expr) -> bool:
    """Whether a statement is an expression alone."""
    return isinstance(line, ast.Expr) and line.value is node


def _always(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression that are evaluated whatever the others come to."""
    if isinstance(node, FORKS) or (isinstance(node, ast.Compare) and len(node.ops) > 1):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _always(child)
