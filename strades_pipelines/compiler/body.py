"""One function: its statements, lowered to LLVM."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.function_source import Source, read_source
from strades_pipelines.compiler.loops import Loops
from strades_pipelines.compiler.lowered_values import (
    BOOL,
    INT,
    PER_EVENT,
    NotCompilable,
    Number,
    Unknown,
    Value,
)
from strades_pipelines.compiler.operators import BINARY
from strades_pipelines.compiler.program import ARRAYS, MEMORY, Function, Program, key_of, received

ERRORS = ("ValueError", "OverflowError", "ZeroDivisionError")
FROM_THE_END = "a computed index below 0"


def lower_function(
    program: Program, function: Callable[..., Any], arguments: Sequence[Value], *, hot: bool, apart: bool
) -> Function:
    """The LLVM function for a Python function with such arguments.

    It is lowered again only where a local number turns out to be of a wider kind than it began with.

    Raises:
        NotCompilable: it uses what cannot be compiled; the program has every reason.
    """
    source, key = read_source(function), (function, *map(key_of, arguments))
    while True:
        llvm = program.declare(function.__qualname__, arguments, hot=hot, cold=apart)
        body = Body(program, source, llvm, program.kinds.get(key, {}), hot=hot)
        body.lower(arguments)
        program.kinds[key] = body.kinds
        if body.failed:
            raise program.refused()
        if not body.widened:
            break
        program.discard(body.llvm)
    if body.returned and body.falls_off:
        program.record(
            NotCompilable(
                f"{source.where(source.tree)}: {source.tree.name} may end without the number that it returns elsewhere"
            )
        )
        raise program.refused()
    returns = body.complete()
    return Function(body.llvm, returns, body.raised, hot)


class Body(Loops):
    """The lowering of one function's body.

    What it returns, and whether it can raise, is known when all of it is lowered: until then the blocks that it is left
    from end with `unreachable`, and `complete` ends them as they are to end.

    Args:
        kinds: of its local numbers, as far as they are known.
    """

    def __init__(
        self,
        program: Program,
        source: Source,
        function: ir.Function,
        kinds: Mapping[str, str],
        *,
        hot: bool,
    ) -> None:
        super().__init__(program, source, hot=hot)
        self.llvm, self.kinds = function, dict(kinds)
        self.statement: ast.AST = source.tree
        self.returned: list[str] = []
        self.leaves: list[tuple[Any, ast.AST, Number | None]] = []
        self.escapes: list[Any] = []
        self.raised = self.falls_off = self.failed = False
        self.numbered: dict[tuple[int, str, str], int] = {}
        self.entry = function.append_basic_block("entry")
        self.builder = ir.IRBuilder(function.append_basic_block("body"))
        self.memory = dict(zip(MEMORY + ARRAYS if hot else MEMORY, function.args, strict=False))

    def lower(self, arguments: Sequence[Value]) -> None:
        """Lower all of it."""
        first = self.builder.block
        given = iter(self.llvm.args[len(self.memory) :])
        names = [argument.arg for argument in self.source.tree.args.args]
        for name, argument in zip(names, arguments, strict=True):
            value = received(argument, given)
            self.assigned.add(name)
            if isinstance(value, Number):
                self.store_number(self.source.tree, name, value)
            else:
                self.scope[name] = value
        self.block(self.source.tree.body)
        if not self.builder.block.is_terminated:
            self.falls_off = True
            self.leave(None)
        ir.IRBuilder(self.entry).branch(first)

    def leave(self, number: Number | None) -> None:
        """Return, with a number or without."""
        self.leaves.append((self.builder.block, self.statement, number))
        self.builder.unreachable()

    def escape(self) -> None:
        """Return because of an error whose number is stored already."""
        self.escapes.append(self.builder.block)
        self.builder.unreachable()

    def reopen(self, block: Any) -> None:
        """Go on at the end of a block that was left."""
        # The `unreachable` that it was left with.
        block.instructions.pop()
        block.terminator = None
        self.builder.position_at_end(block)

    def complete(self) -> str:
        """End the blocks that it is left from; returns the kind of number that it returns."""
        returns = numbers.common(self.returned) if self.returned else "nothing"
        ends = []
        for block, statement, number in self.leaves:
            self.statement = statement
            self.reopen(block)
            value = number and numbers.as_kind(self.builder, number, returns, self.fail)
            ends.append((self.builder.block, value))
        self.program.define(self.llvm, returns, raises=self.raised)
        for block, value in ends:
            self.builder.position_at_end(block)
            # Where it can raise it returns whether it did, and its number by a pointer.
            if not self.raised:
                self.builder.ret_void() if value is None else self.builder.ret(value)
                continue
            if value is not None:
                self.builder.store(value, self.llvm.args[-1])
            self.builder.ret(BOOL(False))
        for block in self.escapes:
            self.reopen(block)
            self.builder.ret(BOOL(True))
        return returns

    def fail(self, condition: Any, name: str, text: str, per_event: Callable[[], Any] | None = None) -> None:
        """Raise an error where the condition holds; where `per_event` does too, the run goes on per event."""
        self.raised = True
        with self.builder.if_then(condition, likely=False):
            number = INT(self.error_number(name, text))
            if per_event:
                other = INT(self.error_number(PER_EVENT, FROM_THE_END))
                number = self.builder.select(per_event(), other, number)
            self.builder.store(number, self.memory["error"])
            self.escape()

    def error_number(self, name: str, text: str) -> int:
        """The number of an error; why a run goes on per event is said with the statement."""
        key = id(self.statement), name, text
        if key not in self.numbered:  # to write a statement out takes longer than to lower it
            said = str(self.refuse(self.statement, text)) if name == PER_EVENT else text
            self.numbered[key] = self.program.error(name, said)
        return self.numbered[key]

    def pass_on(self, raised: Any) -> None:
        """Hand on the error of a call."""
        self.raised = True
        with self.builder.if_then(raised, likely=False):
            self.escape()

    # Reasons why it does not compile.

    def attempt(self, lower: Callable[..., Any], *arguments: Any) -> Any:
        """Lower a part; where it cannot be compiled, record the reason and go on with what stands in it."""
        try:
            return lower(*arguments)
        except NotCompilable as reason:
            self.failed = True
            self.program.record(reason)
            for part in arguments:
                self.record_further_reasons(part)
        return None

    def record_further_reasons(self, node: ast.AST) -> None:
        """Keep what else in a part that failed no compiled code has, and forget what it would have set."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                self.scope[part.id] = Unknown()
                self.assigned.add(part.id)
            unknown = isinstance(part, ast.expr) and not hasattr(self, f"see_{type(part).__name__}")
            unknown = unknown and not isinstance(part, ast.Tuple | ast.Starred | ast.Slice)
            if unknown or (isinstance(part, ast.BinOp) and type(part.op) not in BINARY):
                self.program.record(self.refuse(part, f"a {type(part).__name__} expression: {ast.unparse(part)}"))

    # Statements.

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Some statements; what comes after a return or break is never reached."""
        for statement in statements:
            if self.builder.block.is_terminated:
                return
            self.statement = statement
            self.attempt(self.lower_statement, statement)

    def lower_statement(self, statement: ast.stmt) -> None:
        """One statement."""
        lower = getattr(self, f"do_{type(statement).__name__}", None)
        if lower is None:
            raise self.refuse(statement, f"a {type(statement).__name__} statement")
        lower(statement)

    def do_Pass(self, node: ast.Pass) -> None:  # noqa: N802
        pass

    def do_Expr(self, node: ast.Expr) -> None:  # noqa: N802
        if isinstance(node.value, ast.Call):
            self.call(node.value)
        elif not isinstance(node.value, ast.Constant):
            self.number(node.value)

    def do_Return(self, node: ast.Return) -> None:  # noqa: N802
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.falls_off = True
            self.leave(None)
            return
        number = self.number(node.value)
        self.returned.append(number.kind)
        self.leave(number)

    def do_Raise(self, node: ast.Raise) -> None:  # noqa: N802
        call = node.exc
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id
        if named not in ERRORS or named in self.source.locals or named in self.source.names or node.cause:
            raise self.refuse(node, f"raise of anything but {', '.join(ERRORS)}")
        assert isinstance(call, ast.Call)
        if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], ast.Constant):
            raise self.refuse(node, "an error without a constant text")
        self.raised = True
        self.builder.store(INT(self.program.error(str(named), str(call.args[0].value))), self.memory["error"])
        self.escape()

    def do_If(self, node: ast.If) -> None:  # noqa: N802
        condition = self.attempt(self.truth, node.test)
        then, other, after = (self.llvm.append_basic_block(name) for name in ("then", "else", "after"))
        # Both ways are lowered also where the test cannot be: for further reasons.
        self.builder.cbranch(condition or BOOL(False), then, other)
        before, ends = set(self.assigned), []
        for start, statements in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(start)
            self.assigned = set(before)
            self.block(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
                ends.append(self.assigned)
        self.builder.position_at_end(after)
        self.assigned = set.intersection(*ends) if ends else before
        if not ends:
            self.builder.unreachable()
