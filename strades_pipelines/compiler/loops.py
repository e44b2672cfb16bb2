"""The loops of a function, lowered to LLVM."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.assignments import Assignments
from strades_pipelines.compiler.function_source import Source
from strades_pipelines.compiler.lowered_values import BOOL, INT, Number, Object
from strades_pipelines.compiler.program import Program


class Loops(Assignments):
    """What `Body` knows about loops; `loops` are the blocks to go on and to leave by, of those around."""

    def __init__(self, program: Program, source: Source, *, hot: bool) -> None:
        super().__init__(program, source, hot=hot)
        self.loops: list[tuple[Any, Any]] = []

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Some statements; `Body` knows how."""
        raise NotImplementedError

    def attempt(self, lower: Callable[..., Any], *arguments: Any) -> Any:
        """Lower a part; see `Body`."""
        raise NotImplementedError

    def record_further_reasons(self, node: ast.AST) -> None:
        """Look for further reasons in a part that failed; `Body` knows how."""
        raise NotImplementedError

    def do_Break(self, node: ast.Break) -> None:  # noqa: N802
        self.builder.branch(self.loops[-1][1])

    def do_Continue(self, node: ast.Continue) -> None:  # noqa: N802
        self.builder.branch(self.loops[-1][0])

    def do_While(self, node: ast.While) -> None:  # noqa: N802
        if node.orelse:
            raise self.refuse(node, "else of a loop")
        test, body, after = (self.llvm.append_basic_block(name) for name in ("test", "body", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.attempt(self.truth, node.test) or BOOL(False), body, after)
        self.loop(body, test, after, node.body)

    def loop(self, body: Any, again: Any, after: Any, statements: Sequence[ast.stmt]) -> None:
        """The body of a loop, and on behind it; what is set in it alone may not be set there."""
        before = set(self.assigned)
        self.loops.append((again, after))
        self.builder.position_at_end(body)
        self.block(statements)
        if not self.builder.block.is_terminated:
            self.builder.branch(again)
        self.loops.pop()
        self.builder.position_at_end(after)
        self.assigned = before

    def do_For(self, node: ast.For) -> None:  # noqa: N802
        if node.orelse or not isinstance(node.target, ast.Name):
            raise self.refuse(node, "a loop with else, or with more than one name")
        if isinstance(node.iter, ast.Attribute):
            self.each_part(node, node.iter, node.target.id)
            return
        bounds = self.attempt(self.bounds, node.iter)
        before = set(self.assigned)
        start, stop, step = bounds or (INT(0), INT(0), 1)
        counter = self.allocate("int")
        self.builder.store(start, counter)
        test, body, more, after = (self.llvm.append_basic_block(name) for name in ("test", "body", "next", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        at = self.builder.load(counter, typ=INT)
        self.builder.cbranch(self.builder.icmp_signed("<" if step > 0 else ">", at, stop), body, after)
        self.builder.position_at_end(body)
        if bounds:
            self.store_name(node.target, Number(at, "int"))
        else:
            self.record_further_reasons(node.target)
        self.builder.branch(first := self.llvm.append_basic_block("first"))
        self.builder.position_at_end(more)
        # Below `stop` a step of 1 stays an integer of 64 bits.
        one = Number(self.builder.load(counter, typ=INT), "int"), Number(INT(step), "int")
        checked = self.checked and abs(step) != 1
        after_this = numbers.arithmetic(self.builder, "+", *one, self.fail, checked=checked)
        assert after_this is not None
        self.builder.store(after_this.value, counter)
        self.builder.branch(test)
        self.loop(first, more, after, node.body)
        self.assigned = before

    def bounds(self, loop: ast.expr) -> tuple[Any, Any, int]:
        """Start, stop and step of a range."""
        is_range = isinstance(loop, ast.Call) and isinstance(loop.func, ast.Name) and loop.func.id == "range"
        is_other = "range" in self.source.locals or "range" in self.source.names
        if not isinstance(loop, ast.Call) or not is_range or is_other:
            raise self.refuse(loop, "a loop over anything but range(...)")
        if loop.keywords or not 1 <= len(loop.args) <= 3:
            raise self.refuse(loop, "a range of other arguments than start, stop and step")
        given = [self.number(argument) for argument in loop.args[:2]]
        if any(number.kind in ("float", "real") for number in given):
            raise self.refuse(loop, "a range over floats")
        ends = [numbers.to_int(self.builder, number) for number in given]
        step = 1
        if len(loop.args) == 3:
            step = self.step(loop.args[2])
        return (INT(0), ends[0], step) if len(ends) == 1 else (ends[0], ends[1], step)

    def step(self, node: ast.expr) -> int:
        """The step of a range."""
        try:
            step = ast.literal_eval(node)
        except ValueError:
            step = None
        if type(step) is not int or step == 0 or abs(step) >= 1 << 63:
            raise self.refuse(node, "a range whose step is no constant integer but 0")
        return step

    def each_part(self, node: ast.For, loop: ast.Attribute, name: str) -> None:
        """A loop over a tuple of objects: its body once for each of them."""
        owner = self.value(loop.value)
        entry = owner.shape.get(loop.attr) if isinstance(owner, Object) else None
        leaves = any(isinstance(part, ast.Break | ast.Continue) for line in node.body for part in ast.walk(line))
        if not isinstance(owner, Object) or entry is None or entry.kind != "parts" or leaves:
            raise self.refuse(node, f"a loop over {ast.unparse(loop)}, which is no tuple of objects")
        if name in self.scope:
            raise self.refuse(node, f"a loop over {ast.unparse(loop)} whose name {name} stands for something before")
        for part in entry.parts:
            assert part.shape is not None
            self.scope[name] = Object(part.shape, owner.f + part.f, owner.n + part.n, owner.base_f, owner.base_n)
            self.assigned.add(name)
            self.block(node.body)
        # Behind the loop, and in the next round of one around it, Python has the last part there; nobody needs it.
        self.scope.pop(name, None)
        self.assigned.discard(name)
