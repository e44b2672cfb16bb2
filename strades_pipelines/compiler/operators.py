"""The operators of a function, lowered to LLVM: arithmetic, comparisons, conditions."""

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.expressions import Expressions
from strades_pipelines.compiler.lowered_values import BOOL, TYPES, Number, Value

BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Operators(Expressions):
    """What `Body` knows about operators."""

    def truth(self, node: ast.expr) -> Any:
        """Whether an expression holds; of `and` and `or` the later parts are looked at only when they matter."""
        if isinstance(node, ast.BoolOp):
            return self.chain(isinstance(node.op, ast.And), [partial(self.truth, part) for part in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.builder.not_(self.truth(node.operand))
        return numbers.to_bool(self.builder, self.number(node))

    def chain(self, ends_with_false: bool, conditions: Sequence[Callable[[], Any]]) -> Any:
        """Conditions one after the other, until one decides."""
        place = self.allocate("bool")
        after = self.llvm.append_basic_block("decided")
        for condition in conditions[:-1]:
            held = condition()
            self.builder.store(held, place)
            more = self.llvm.append_basic_block("more")
            first, second = (more, after) if ends_with_false else (after, more)
            self.builder.cbranch(held, first, second)
            self.builder.position_at_end(more)
        self.builder.store(conditions[-1](), place)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        return self.builder.load(place, typ=BOOL)

    def see_BinOp(self, node: ast.BinOp) -> Value:  # noqa: N802
        return self.operation(node, node.op, self.number(node.left), self.number(node.right))

    def operation(self, node: ast.AST, operator: ast.operator, left: Number, right: Number) -> Number:
        """What an operator makes of two numbers."""
        sign = BINARY.get(type(operator))
        check = self.checked
        made = numbers.arithmetic(self.builder, sign, left, right, self.fail, checked=check) if sign else None
        if made is None:
            raise self.refuse(node, f"the operator in {ast.unparse(node)}; write x * x")
        return made

    def see_UnaryOp(self, node: ast.UnaryOp) -> Value:  # noqa: N802
        if isinstance(node.op, ast.Not):
            return Number(self.truth(node), "bool")
        number = self.number(node.operand)
        if isinstance(node.op, ast.USub):
            return numbers.negative(self.builder, number, self.fail, checked=self.checked)
        raise self.refuse(node, f"the operator in {ast.unparse(node)}")

    def see_BoolOp(self, node: ast.BoolOp) -> Value:  # noqa: N802
        """The first part that decides, as it is; the others are not looked at."""
        ends, after = [], self.llvm.append_basic_block("decided")
        for part in node.values[:-1]:
            number = self.number(part)
            held, more = numbers.to_bool(self.builder, number), self.llvm.append_basic_block("more")
            end = self.llvm.append_basic_block("end")
            first, second = (more, end) if isinstance(node.op, ast.And) else (end, more)
            self.builder.cbranch(held, first, second)
            ends.append((number, end))
            self.builder.position_at_end(more)
        ends.append((self.number(node.values[-1]), self.builder.block))
        return self.joined(ends, after)

    def joined(self, ends: Sequence[tuple[Number, Any]], after: Any) -> Number:
        """The number of the block that `after` is reached from, of a kind that holds all of them."""
        kind = numbers.common([number.kind for number, _ in ends])
        values = []
        for number, end in ends:
            self.builder.position_at_end(end)
            value = numbers.as_kind(self.builder, number, kind, self.fail)
            values.append((value, self.builder.block))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        made = self.builder.phi(TYPES[kind])
        for value, end in values:
            made.add_incoming(value, end)
        return Number(made, kind)

    def see_Compare(self, node: ast.Compare) -> Value:  # noqa: N802
        """Each side is looked at once, the later ones only where the comparisons before hold."""
        signs = [COMPARED.get(type(operator)) for operator in node.ops]
        if None in signs:
            raise self.refuse(node, f"the comparison in {ast.unparse(node)}")
        sides = [self.number(node.left)]

        def compare(sign: str, side: ast.expr) -> Any:
            sides.append(self.number(side))
            return numbers.compare(self.builder, sign, sides[-2], sides[-1], self.fail if self.checked else None)

        pairs = zip(signs, node.comparators, strict=True)
        conditions = [partial(compare, sign, side) for sign, side in pairs if sign]
        return Number(conditions[0]() if len(conditions) == 1 else self.chain(True, conditions), "bool")

    def see_IfExp(self, node: ast.IfExp) -> Value:  # noqa: N802
        then, other, after = (self.llvm.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(self.truth(node.test), then, other)
        ends = []
        for start, part in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(start)
            number = self.number(part)
            ends.append((number, self.builder.block))
        return self.joined(ends, after)
