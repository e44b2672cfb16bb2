"""One function: its statements, lowered to LLVM."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.assignments import Assignments
from strades_pipelines.compiler.expressions import BINARY
from strades_pipelines.compiler.lowered_values import (
    BOOL,
    INT,
    PER_EVENT,
    NotCompilable,
    Number,
    Object,
    Unknown,
    Value,
)
from strades_pipelines.compiler.program import (
    HOMES,
    MEMORY,
    Function,
    Outcome,
    Program,
    Source,
    key_of,
    read_source,
    received,
)

ERRORS = ("ValueError", "OverflowError", "ZeroDivisionError")
FROM_THE_END = "a computed index below 0"


def lower_function(
    program: Program, name: str, function: Callable[..., Any], arguments: Sequence[Value], *, hot: bool, apart: bool
) -> Function:
    """The LLVM function for a Python function with such arguments.

    Raises:
        NotCompilable: it uses what cannot be compiled; the program has every reason.
    """
    source = read_source(function)
    key = (function, *map(key_of, arguments))
    if key not in program.outcomes:
        program.outcomes[key] = _outcome(program, name, source, arguments, hot=hot)
    outcome = program.outcomes[key]
    llvm = program.declare(name, arguments, outcome.returns, outcome.raises, hot=hot, cold=apart)
    made = Function(llvm, outcome.returns, outcome.raises, hot)
    Body(program, source, llvm, made, outcome.kinds, hot=hot).lower(arguments)
    return made


def _outcome(program: Program, name: str, source: Source, arguments: Sequence[Value], *, hot: bool) -> Outcome:
    """What a function returns, whether it can raise, and of what kinds its local numbers are.

    It is lowered into a module that is thrown away, until no local number becomes one of a wider kind.
    """
    kinds: Mapping[str, str] = {}
    while True:
        scratch = Program(module=ir.Module("scratch"))
        trial = Body(program, source, scratch.declare(name, arguments, "nothing", False, hot=hot), None, kinds, hot=hot)
        trial.lower(arguments)
        if trial.failed:
            raise program.refused()
        kinds = trial.kinds
        if not trial.widened:
            break
    if trial.returned and trial.falls_off:
        reason = NotCompilable(
            f"{source.where(source.tree)}: {source.tree.name} may end without the number that it returns elsewhere"
        )
        program.record(reason)
        raise program.refused()
    return Outcome(numbers.common(trial.returned) if trial.returned else "nothing", trial.raised, kinds)


class Body(Assignments):
    """The lowering of one function's body; `made` is None while it is only looked at.

    Args:
        kinds: of its local numbers, as far as they are known.
    """

    def __init__(
        self,
        program: Program,
        source: Source,
        function: ir.Function,
        made: Function | None,
        kinds: Mapping[str, str],
        *,
        hot: bool,
    ) -> None:
        super().__init__(program, source, hot=hot)
        self.llvm, self.made, self.kinds = function, made, dict(kinds)
        self.statement: ast.AST = source.tree
        self.returned: list[str] = []
        self.raised = self.falls_off = self.failed = False
        self.loops: list[tuple[Any, Any]] = []
        self.numbered: dict[tuple[int, str, str], int] = {}
        self.entry = function.append_basic_block("entry")
        self.builder = ir.IRBuilder(function.append_basic_block("body"))
        self.memory = dict(zip(MEMORY + HOMES if hot else MEMORY, function.args, strict=False))

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
        if self.made is None:
            self.builder.unreachable()
        elif number is None:
            self.builder.ret(BOOL(False)) if self.made.raises else self.builder.ret_void()
        else:
            value = numbers.as_kind(self.builder, number, self.made.returns, self.fail)
            if not self.made.raises:
                self.builder.ret(value)
                return
            self.builder.store(value, self.llvm.args[-1])
            self.builder.ret(BOOL(False))

    def escape(self) -> None:
        """Return because of an error whose number is in E already."""
        if self.made is None:
            self.builder.unreachable()
        else:
            self.builder.ret(BOOL(True))

    def fail(self, condition: Any, name: str, text: str, per_event: Callable[[], Any] | None = None) -> None:
        """Raise an error where the condition holds; where `per_event` does too, the run goes on per event."""
        self.raised = True
        with self.builder.if_then(condition, likely=False):
            number = INT(self.error_number(name, text))
            if per_event:
                other = INT(self.error_number(PER_EVENT, FROM_THE_END))
                number = self.builder.select(per_event(), other, number)
            self.builder.store(number, self.memory["E"])
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
        """What a part comes to; where it cannot be compiled the reason is kept, and the rest is looked at.

        Raises:
            NotCompilable: it is no trial any more.
        """
        try:
            return lower(*arguments)
        except NotCompilable as reason:
            if self.made is not None:
                raise
            self.failed = True
            self.program.record(reason)
            for part in arguments:
                self.look_through(part)
        return None

    def look_through(self, node: ast.AST) -> None:
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

    def do_Break(self, node: ast.Break) -> None:  # noqa: N802
        self.builder.branch(self.loops[-1][1])

    def do_Continue(self, node: ast.Continue) -> None:  # noqa: N802
        self.builder.branch(self.loops[-1][0])

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
        self.builder.store(INT(self.program.error(str(named), str(call.args[0].value))), self.memory["E"])
        self.escape()

    def do_If(self, node: ast.If) -> None:  # noqa: N802
        condition = self.attempt(self.truth, node.test)
        then, other, after = (self.llvm.append_basic_block(name) for name in ("then", "else", "after"))
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
            self.look_through(node.target)
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
