"""One function: its statements, lowered to LLVM."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from strades_pipelines.strategy.compiler import numbers
from strades_pipelines.strategy.compiler.calls import Calls
from strades_pipelines.strategy.compiler.program import (
    HOMES,
    MEMORY,
    Function,
    Program,
    Source,
    key_of,
    read_source,
    received,
)
from strades_pipelines.strategy.compiler.shapes import Field
from strades_pipelines.strategy.compiler.values import (
    BOOL,
    INT,
    TYPES,
    Array,
    Event,
    NotCompilable,
    Number,
    Object,
    Single,
    Value,
)

ERRORS = ("ValueError", "OverflowError", "ZeroDivisionError")


def lower_function(
    program: Program, name: str, function: Callable[..., Any], arguments: Sequence[Value], *, hot: bool, apart: bool
) -> Function:
    """The LLVM function for a Python function with such arguments.

    It is lowered twice: first to see what it returns and whether it can raise, the same whether hot or apart, into a
    module that is thrown away.

    Raises:
        NotCompilable: it uses what cannot be compiled.
    """
    source = read_source(function)
    key = (function, *map(key_of, arguments))
    if key not in program.outcomes:
        scratch = Program(module=ir.Module("scratch"))
        trial = Body(program, source, scratch.declare(name, arguments, "nothing", False, hot=hot), None, hot=hot)
        trial.lower(arguments)
        if trial.returned and trial.falls_off:
            raise NotCompilable(f"{source.where(source.tree)}: {source.tree.name} may end without returning its number")
        returns = numbers.common([Number(None, kind) for kind in trial.returned]) if trial.returned else "nothing"
        program.outcomes[key] = returns, trial.raised
    returns, raised = program.outcomes[key]
    llvm = program.declare(name, arguments, returns, raised, hot=hot, cold=apart)
    made = Function(llvm, returns, raised, hot)
    Body(program, source, llvm, made, hot=hot).lower(arguments)
    return made


@dataclass(frozen=True)
class Local:
    """A local number: where it is kept."""

    place: Any
    kind: str


@dataclass(frozen=True)
class LocalObject:
    """A local name for an object at places that are computed."""

    shape: Any
    place_f: Any
    place_n: Any


class Body(Calls):
    """The lowering of one function's body; `made` is None while it is only looked at."""

    def __init__(
        self, program: Program, source: Source, function: ir.Function, made: Function | None, *, hot: bool
    ) -> None:
        super().__init__(program, source, hot=hot)
        self.llvm, self.made = function, made
        self.scope: dict[str, Value | Local | LocalObject] = {}
        self.returned: list[str] = []
        self.raised = False
        self.falls_off = False
        self.loops: list[tuple[Any, Any]] = []
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
            value = numbers.as_kind(self.builder, number, self.made.returns)
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

    def fail(self, condition: Any, name: str, text: str) -> None:
        """Raise an error where the condition holds."""
        self.raised = True
        with self.builder.if_then(condition, likely=False):
            self.builder.store(INT(self.program.error(name, text)), self.memory["E"])
            self.escape()

    def pass_on(self, raised: Any) -> None:
        """Hand on the error of a call."""
        self.raised = True
        with self.builder.if_then(raised, likely=False):
            self.escape()

    # Statements.

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Some statements; what comes after a return or break is never reached."""
        for statement in statements:
            if self.builder.block.is_terminated:
                return
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
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS):
            raise self.refuse(node, f"raise of anything but {', '.join(ERRORS)}")
        if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
            raise self.refuse(node, "an error without a constant text")
        self.raised = True
        self.builder.store(INT(self.program.error(call.func.id, str(call.args[0].value))), self.memory["E"])
        self.escape()

    def do_If(self, node: ast.If) -> None:  # noqa: N802
        condition = self.truth(node.test)
        then, other, after = (self.llvm.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(condition, then, other)
        for start, statements in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(start)
            self.block(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)
        if not after.is_terminated and not any(
            after in block.terminator.operands for block in self.llvm.blocks if block.is_terminated
        ):
            self.builder.unreachable()

    def do_While(self, node: ast.While) -> None:  # noqa: N802
        if node.orelse:
            raise self.refuse(node, "else of a loop")
        test, body, after = (self.llvm.append_basic_block(name) for name in ("test", "body", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.truth(node.test), body, after)
        self.loop(body, test, after, node.body)

    def loop(self, body: Any, again: Any, after: Any, statements: Sequence[ast.stmt]) -> None:
        """The body of a loop, and on behind it."""
        self.loops.append((again, after))
        self.builder.position_at_end(body)
        self.block(statements)
        if not self.builder.block.is_terminated:
            self.builder.branch(again)
        self.loops.pop()
        self.builder.position_at_end(after)

    def do_For(self, node: ast.For) -> None:  # noqa: N802
        if node.orelse or not isinstance(node.target, ast.Name):
            raise self.refuse(node, "a loop with else, or with more than one name")
        if isinstance(node.iter, ast.Attribute):
            self.each_part(node, node.iter, node.target.id)
            return
        start, stop, step = self.bounds(node)
        counter = self.allocate("int")
        self.builder.store(start, counter)
        test, body, more, after = (self.llvm.append_basic_block(name) for name in ("test", "body", "next", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        at = self.builder.load(counter, typ=INT)
        self.builder.cbranch(self.builder.icmp_signed("<" if step > 0 else ">", at, stop), body, after)
        self.builder.position_at_end(body)
        self.store_number(node, node.target.id, Number(at, "int"))
        self.builder.branch(first := self.llvm.append_basic_block("first"))
        self.builder.position_at_end(more)
        self.builder.store(self.builder.add(self.builder.load(counter, typ=INT), INT(step)), counter)
        self.builder.branch(test)
        self.loop(first, more, after, node.body)

    def bounds(self, node: ast.For) -> tuple[Any, Any, int]:
        """Start, stop and step of a range."""
        loop = node.iter
        if not (isinstance(loop, ast.Call) and isinstance(loop.func, ast.Name) and loop.func.id == "range"):
            raise self.refuse(node, "a loop over anything but range(...)")
        given = [self.number(argument) for argument in loop.args[:2]]
        if any(number.kind == "float" for number in given):
            raise self.refuse(node, "a range over floats")
        ends = [numbers.to_int(self.builder, number) for number in given]
        step = 1
        if len(loop.args) == 3:
            try:
                step = int(ast.literal_eval(loop.args[2]))
            except ValueError:
                raise self.refuse(node, "a range whose step is no constant") from None
        return (INT(0), ends[0], step) if len(ends) == 1 else (ends[0], ends[1], step)

    def each_part(self, node: ast.For, loop: ast.Attribute, name: str) -> None:
        """A loop over a tuple of objects: its body once for each of them."""
        owner = self.value(loop.value)
        entry = owner.shape.get(loop.attr) if isinstance(owner, Object) else None
        leaves = any(isinstance(part, ast.Break | ast.Continue) for line in node.body for part in ast.walk(line))
        if not isinstance(owner, Object) or entry is None or entry.kind != "parts" or leaves:
            raise self.refuse(node, f"a loop over {ast.unparse(loop)}, which is no tuple of objects")
        for part in entry.parts:
            assert part.shape is not None
            self.scope[name] = Object(part.shape, owner.f + part.f, owner.n + part.n, owner.base_f, owner.base_n)
            self.block(node.body)

    def do_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        if node.value is not None:
            self.store(node.target, self.value(node.value))

    def do_Assign(self, node: ast.Assign) -> None:  # noqa: N802
        if len(node.targets) != 1:
            raise self.refuse(node, "a chained assignment")
        target = node.targets[0]
        if not isinstance(target, ast.Tuple):
            self.store(target, self.value(node.value))
            return
        if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
            raise self.refuse(node, "an assignment to several names from one value")
        values = [self.value(value) for value in node.value.elts]
        for one, value in zip(target.elts, values, strict=True):
            self.store(one, value)

    def do_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        whole = ast.BinOp(read, node.op, node.value)
        for part in [whole, *ast.walk(read)]:
            ast.copy_location(part, node)
        self.store(node.target, self.value(whole))

    # Assignments.

    def store(self, target: ast.expr, value: Value) -> None:
        """Put a value into a name, an attribute or an element of a list."""
        if isinstance(target, ast.Name):
            self.store_name(target, value)
            return
        if not isinstance(value, Number):
            raise self.refuse(target, "an object put into an attribute; only numbers change")
        if isinstance(target, ast.Attribute):
            self.store_attribute(target, value)
            return
        array = self.value(target.value) if isinstance(target, ast.Subscript) else None
        if isinstance(array, Single):
            assert isinstance(target, ast.Subscript)
            self.check_index(self.index(target.slice), INT(1))
            self.store_slot(target, array.owner, array.entry, value)
            return
        if not isinstance(array, Array):
            raise self.refuse(target, f"an assignment to {ast.unparse(target)}")
        assert isinstance(target, ast.Subscript)
        place = self.element_place(array, self.index(target.slice))
        self.builder.store(self.fitting(target, value, array.kind), place)

    def store_attribute(self, target: ast.Attribute, value: Number) -> None:
        """Change a number of an object."""
        owner = self.value(target.value)
        entry = owner.shape.get(target.attr) if isinstance(owner, Object) else None
        if not isinstance(owner, Object) or entry is None or entry.kind not in ("float", "int", "bool"):
            raise self.refuse(target, f"{ast.unparse(target)} is no number set before the first event")
        if entry.single:
            raise self.refuse(target, f"{ast.unparse(target)} is a list")
        self.store_slot(target, owner, entry, value)

    def store_slot(self, target: ast.expr, owner: Object, entry: Field, value: Number) -> None:
        """Change a number that lies in an object."""
        if entry.kind not in ("float", "int", "bool"):
            raise self.refuse(target, "an object put into a list; only numbers change")
        self.builder.store(self.fitting(target, value, entry.kind), self.slot(owner, entry, write=True))

    def fitting(self, node: ast.AST, value: Number, kind: str) -> Any:
        """The value as it is kept; a float never becomes a whole number unnoticed."""
        if kind == "float":
            return numbers.to_float(self.builder, value)
        if value.kind == "float":
            raise self.refuse(node, "a whole number or truth value became a float; give it a float from the start")
        return numbers.to_int(self.builder, value)

    def store_name(self, target: ast.Name, value: Value) -> None:
        """A local name: of a number, or another name for an object."""
        if isinstance(value, Number):
            self.store_number(target, target.id, value)
            return
        known = self.scope.get(target.id)
        if isinstance(value, Event):
            raise self.refuse(target, "an event kept under a name")
        if isinstance(value, Object) and value.base_f is not None:
            if known is None:
                known = LocalObject(value.shape, self.allocate("int"), self.allocate("int"))
            if not isinstance(known, LocalObject) or known.shape != value.shape:
                raise self.refuse(target, f"{target.id} stands for two different things")
            self.builder.store(self.place(value.base_f, value.f), known.place_f)
            self.builder.store(self.place(value.base_n, value.n), known.place_n)
            self.scope[target.id] = known
            return
        if known is not None and known != value:
            raise self.refuse(target, f"{target.id} stands for two different things")
        self.scope[target.id] = value

    def store_number(self, node: ast.AST, name: str, number: Number) -> None:
        """A local number; it keeps its kind."""
        known = self.scope.get(name)
        if known is None:
            known = self.scope[name] = Local(self.allocate(number.kind), number.kind)
        if not isinstance(known, Local):
            raise self.refuse(node, f"{name} stands for two different things")
        if known.kind != number.kind and (known.kind == "bool" or number.kind == "float"):
            raise self.refuse(node, f"{name} was a {known.kind} and becomes a {number.kind}")
        self.builder.store(numbers.as_kind(self.builder, number, known.kind), known.place)

    def allocate(self, kind: str) -> Any:
        """A place for a local number."""
        return ir.IRBuilder(self.entry).alloca(TYPES[kind])

    def row(self, node: ast.expr) -> Any:
        """The row of the event that is handled."""
        rows = [held.row for held in self.scope.values() if isinstance(held, Event) and held.row is not None]
        if not rows:
            raise self.refuse(node, f"{ast.unparse(node)} where no event is handled")
        return rows[0]

    def local(self, node: ast.Name) -> Value | None:
        """What a local name stands for now."""
        held = self.scope.get(node.id)
        if isinstance(held, Local):
            return Number(self.builder.load(held.place, typ=TYPES[held.kind]), held.kind)
        if isinstance(held, LocalObject):
            load = self.builder.load
            return Object(held.shape, 0, 0, load(held.place_f, typ=INT), load(held.place_n, typ=INT))
        return held
