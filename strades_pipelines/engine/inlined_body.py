"""The statements of one method, written out for `inlined`: what is known of an engine stands in place of its names."""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strades_pipelines.engine.inlined import Inliner

SCALARS = (bool, int, float)


class Known:
    """An object that is the same whenever the code runs."""

    def __init__(self, value: Any) -> None:
        self.value = value


Scope = dict[str, Known | ast.expr]


class Body(ast.NodeTransformer):
    """One method being written out: its local names get a number behind them."""

    def __init__(self, inliner: "Inliner", names: dict[str, Any], tree: ast.FunctionDef, number: int) -> None:
        self._inliner, self._globals, self._tree, self._number = inliner, names, tree, number
        stores = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        self._stores = stores
        self._scope: Scope = {}

    def lines(self, obj: Any, names: list[str], arguments: list[ast.expr]) -> list[ast.stmt]:
        """All statements, what binds the arguments first."""
        self._scope[names[0]] = Known(obj)
        first: list[ast.stmt] = []
        for name, argument in zip(names[1:], arguments, strict=True):
            if isinstance(argument, ast.Name | ast.Constant) and name not in self._stores:
                known = isinstance(argument, ast.Name) and argument.id in self._inliner.bound
                self._scope[name] = Known(self._inliner.bound[argument.id]) if known else argument  # type: ignore[union-attr]
            else:
                first.append(ast.Assign([self._local(name, ast.Store())], argument))
        return [*first, *self._block(self._tree.body)]

    def _block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for statement in statements:
            if not is_text(statement):
                found = self.visit(copied(statement))
                made += found if isinstance(found, list) else [found]
        return made

    def local(self, name: str) -> str:
        """A local name in the code."""
        return f"{name}_{self._number}"

    def _local(self, name: str, context: ast.expr_context) -> ast.Name:
        return ast.Name(self.local(name), context)

    def _known(self, node: ast.expr) -> Known | None:
        """The object that an expression stands for, where it is known now: a part, a list, a constant."""
        if isinstance(node, ast.Constant):
            return Known(node.value)
        if isinstance(node, ast.Name):
            held = self._scope.get(node.id)
            if isinstance(held, Known):
                return held
            if isinstance(held, ast.Constant):
                return Known(held.value)
            is_local = held is not None or node.id in self._stores
            return Known(self._globals[node.id]) if not is_local and node.id in self._globals else None
        if isinstance(node, ast.Attribute):
            owner = self._known(node.value)
            if owner is None or isinstance(getattr(type(owner.value), node.attr, None), property):
                return None
            value = getattr(owner.value, node.attr)
            changes = isinstance(value, SCALARS) and node.attr not in getattr(owner.value, "constants", ())
            is_module = type(owner.value).__name__ == "module"
            return None if changes and not is_module else Known(value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
            held_tuple = self._known(node.args[0])
            return Known(len(held_tuple.value)) if held_tuple and isinstance(held_tuple.value, tuple) else None
        return self._decided(node)

    def _decided(self, node: ast.expr) -> Known | None:
        """What a condition over constants comes to."""
        if isinstance(node, ast.BoolOp):
            parts = [self._known(part) for part in node.values]
            ends = isinstance(node.op, ast.Or)
            if any(part is not None and bool(part.value) is ends for part in parts):
                return Known(ends)
            return None if any(part is None for part in parts) else Known(not ends)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            part = self._known(node.operand)
            return Known(not part.value) if part else None
        if isinstance(node, ast.Compare):
            sides = [self._known(side) for side in (node.left, *node.comparators)]
            if all(side is not None and isinstance(side.value, SCALARS) for side in sides):
                code = ast.Expression(node)
                values = [ast.Constant(side.value) for side in sides if side]
                code.body = ast.Compare(values[0], node.ops, values[1:])  # type: ignore[arg-type]
                return Known(eval(compile(ast.fix_missing_locations(code), "?", "eval")))
        return None

    # Expressions.

    def visit(self, node: ast.AST) -> Any:
        """Replace what is known by its name or, a number, by itself."""
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and self._is_event(node.value):
            return ast.Name(f"event_{node.attr}", ast.Load())
        if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            known = self._known(node)
            if known is not None:
                is_number = isinstance(known.value, SCALARS) and known.value == known.value
                return ast.Constant(known.value) if is_number else self._inliner.name_of(known.value)
        return super().visit(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A local name, or one that Python knows itself."""
        held = self._scope.get(node.id)
        if isinstance(held, ast.expr):
            return held
        return self._local(node.id, node.ctx) if node.id in self._stores or self._is_parameter(node.id) else node

    def _is_event(self, node: ast.expr) -> bool:
        """Whether it is the event of the loop, whose numbers have names of their own."""
        held = self._scope.get(node.id) if isinstance(node, ast.Name) else None
        return isinstance(held, ast.Name) and held.id == "event"

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """A call of an own method is one of a function with what is known written into it."""
        name = None
        if isinstance(node.func, ast.Attribute) and not node.keywords:
            owner = self._known(node.func.value)
            name = (
                self._inliner.called(owner.value, node.func.attr)
                if owner and hasattr(owner.value, "__dict__")
                else None
            )
        if name is None:
            return self.generic_visit(node)  # type: ignore[return-value]
        return ast.Call(name, [self.visit(argument) for argument in node.args], [])

    def _is_parameter(self, name: str) -> bool:
        return any(argument.arg == name for argument in self._tree.args.args)

    # Statements.

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Another name for a part is no statement."""
        [target] = node.targets
        known = self._known(node.value)
        named = isinstance(target, ast.Name) and self._stores.count(target.id) == 1
        if isinstance(target, ast.Name) and named and known is not None and not isinstance(known.value, SCALARS):
            self._scope[target.id] = known
            return []
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        """Without the branch that is never taken."""
        known = self._known(node.test)
        if known is not None:
            return self._block(node.body if known.value else node.orelse)
        if isinstance(node.test, ast.BoolOp):
            node.test.values = [part for part in node.test.values if self._known(part) is None]
            if len(node.test.values) == 1:
                node.test = node.test.values[0]
        body = self._block(node.body)
        orelse = self._block(node.orelse)
        if not body and not orelse:
            return []
        return ast.If(self.visit(node.test), body or [ast.Pass()], orelse)

    def visit_For(self, node: ast.For) -> Any:
        """A loop over known objects, or over one number, is written out."""
        assert isinstance(node.target, ast.Name)
        known = self._known(node.iter)
        values: list[Any] | None = list(known.value) if known and isinstance(known.value, tuple) else None
        if isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name) and node.iter.func.id == "range":
            end = self._known(node.iter.args[0]) if len(node.iter.args) == 1 else None
            values = [0] if end is not None and end.value == 1 else None
        leaves = any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node))
        if values is None or leaves or self._stores.count(node.target.id) != 1:
            return self.generic_visit(node)
        made: list[ast.stmt] = []
        for value in values:
            self._scope[node.target.id] = Known(value)
            made += self._block(node.body)
        return made

    def visit_Expr(self, node: ast.Expr) -> Any:
        """A call as a statement: the method's own statements, where they can stand in its place."""
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and not call.keywords:
            owner = self._known(call.func.value)
            if owner is not None and hasattr(owner.value, "__dict__"):
                arguments = [self.visit(argument) for argument in call.args]
                written = self._inliner.method(owner.value, call.func.attr, arguments)
                if written is not None:
                    return written
        return self.generic_visit(node)


def copied(node: Any) -> Any:
    """A copy of a syntax tree; quicker than what copies anything."""
    if isinstance(node, list):
        return [copied(one) for one in node]
    if not isinstance(node, ast.AST) or isinstance(node, ast.expr_context | ast.operator | ast.cmpop | ast.boolop):
        return node
    made = type(node)(**{name: copied(getattr(node, name, None)) for name in node._fields})
    return ast.copy_location(made, node)


def is_text(node: ast.stmt) -> bool:
    """Whether a statement does nothing: a text, or pass."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
