"""The calls of a function, lowered to LLVM: methods of objects, functions of the module, builtins, math."""

import ast
import inspect
import math
from collections.abc import Sequence
from typing import Any

from strades_pipelines.compiler import mathematics, numbers
from strades_pipelines.compiler.function_source import method_of, read_source
from strades_pipelines.compiler.lowered_values import (
    TYPES,
    Array,
    Computed,
    Event,
    Number,
    Object,
    Objects,
    Single,
    Unknown,
    Value,
)
from strades_pipelines.compiler.operators import Operators
from strades_pipelines.compiler.program import ARRAYS, MEMORY, Function, carried

MATH = mathematics.NAMES
MATH_ARGUMENTS = dict.fromkeys(mathematics.OF_TWO, 2)
BUILTINS = ("abs", "min", "max", "int", "float", "bool", "len")


class Calls(Operators):
    """What `Body` knows about calls."""

    def see_Call(self, node: ast.Call) -> Value:  # noqa: N802
        if isinstance(node.func, ast.Name) and self.source.knows(node.func.id):
            held = self.source.names[node.func.id]
            if isinstance(held, type) and hasattr(held, "compiled_fields"):
                return self.new_event(node, held)
        return self.call(node)

    def new_event(self, node: ast.Call, cls: type) -> Event:
        """An event made in the code: its numbers in the order of its class."""
        fields: Sequence[str] = cls.compiled_fields  # type: ignore[attr-defined]
        if node.keywords or len(node.args) != len(fields):
            raise self.refuse(node, f"{cls.__name__} wants its {len(fields)} numbers by position")
        return Event(cls, tuple(zip(fields, map(self.number, node.args), strict=True)))

    def call(self, node: ast.Call) -> Number:
        """The result of a call."""
        function = node.func
        if isinstance(function, ast.Name):
            return self.call_name(node, function.id)
        if not isinstance(function, ast.Attribute):
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        if isinstance(function.value, ast.Name) and self.source.knows(function.value.id):
            if self.source.names[function.value.id] is not math:
                raise self.refuse(node, f"the call {ast.unparse(node)}")
            return self.call_math(node, function.attr)
        if self.is_super(function.value):
            return self.call_inherited(node, function)
        owner = self.value(function.value)
        if isinstance(owner, Computed):
            column = owner.column(function.attr)
            return self.in_column(column, owner.row) if column else Number(None, "nothing")
        if not isinstance(owner, Object):
            raise self.unknown(node, owner, f"the call {ast.unparse(node)}")
        method = method_of(owner.shape.cls, function.attr)
        is_read = isinstance(inspect.getattr_static(owner.shape.cls, function.attr, None), property)
        if method is None or is_read or owner.shape.get(function.attr) or function.attr in owner.shape.unplaced:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        arguments = self.bind(node, method, skip=1)
        made = self.program.method(owner, function.attr, arguments, self.source.where(node), hot=self.hot)
        return self.emit(made, [owner, *arguments])

    def call_inherited(self, node: ast.Call, called: ast.Attribute) -> Number:
        """super().method(...)."""
        owner, method = self.inherited(called)
        if not inspect.isfunction(method):
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        arguments = self.bind(node, method, skip=1)
        made = self.program.function(method, [owner, *arguments], self.source.where(node), hot=self.hot)
        return self.emit(made, [owner, *arguments])

    def call_name(self, node: ast.Call, name: str) -> Number:
        """A builtin, or a function of the module."""
        if name in self.source.locals:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        is_known = self.source.knows(name)
        held = self.outer(self.source.names, name) if is_known else None
        own_name: str = getattr(held, "__name__", "")
        if is_known and getattr(math, own_name, None) is held:
            return self.call_math(node, own_name)
        if inspect.isfunction(held):
            arguments = self.bind(node, held, skip=0)
            made = self.program.function(held, arguments, self.source.where(node), hot=self.hot)
            return self.emit(made, arguments)
        if is_known or name not in BUILTINS or node.keywords or not node.args:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        if name == "len":
            return self.length(node)
        given = [self.number(argument) for argument in node.args]
        if name in ("min", "max") and len(given) > 1:
            return numbers.smallest(self.builder, "<" if name == "min" else ">", given, self.fail)
        if len(given) != 1:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        return self.convert(name, given[0])

    def convert(self, name: str, number: Number) -> Number:
        """abs, int, float or bool of a number."""
        if name == "abs":
            return numbers.absolute(self.builder, number, self.fail, checked=self.checked)
        if name == "float":
            return Number(numbers.to_float(self.builder, number), "float")
        if name == "bool":
            return Number(numbers.to_bool(self.builder, number), "bool")
        if number.kind in ("float", "real"):
            return numbers.whole(self.builder, number.value, self.fail)
        return Number(numbers.to_int(self.builder, number), "int")

    def call_math(self, node: ast.Call, name: str) -> Number:
        """A function of the math module, with Python's errors."""
        if name not in MATH or len(node.args) != MATH_ARGUMENTS.get(name, 1) or node.keywords:
            raise self.refuse(node, f"{ast.unparse(node)}; of math are compiled {', '.join(MATH)}")
        given = [self.number(argument) for argument in node.args]
        if name in ("floor", "ceil", "trunc") and given[0].kind in ("int", "bool"):
            return Number(numbers.to_int(self.builder, given[0]), "int")
        return mathematics.call(self.builder, name, [numbers.to_float(self.builder, one) for one in given], self.fail)

    def length(self, node: ast.Call) -> Number:
        """len(...) of a list of the state."""
        argument = node.args[0]
        if isinstance(argument, ast.Attribute):
            owner = self.value(argument.value)
            entry = owner.shape.get(argument.attr) if isinstance(owner, Object) else None
            if entry is not None and entry.kind == "parts":
                return numbers.constant(len(entry.parts))
        held = self.value(argument)
        if isinstance(held, Single):
            return numbers.constant(1)
        if isinstance(held, Array) and not held.reserve:
            return Number(self.load_integer(held.owner, held.count), "int")
        if isinstance(held, Objects):
            return Number(self.load_integer(held.owner, held.n + 2), "int")
        raise self.unknown(node, held, f"the call {ast.unparse(node)}")

    def bind(self, node: ast.Call, function: Any, *, skip: int) -> list[Value]:
        """The arguments of a call in the order of the function's parameters, its constant defaults filled in."""
        read_source(function)  # which refuses all but plain parameters
        parameters = list(inspect.signature(function).parameters.values())[skip:]
        names = [parameter.name for parameter in parameters]
        named = {word.arg or "": word.value for word in node.keywords}
        if len(node.args) > len(names) or set(named) - set(names[len(node.args) :]):
            raise self.refuse(node, f"the arguments of {ast.unparse(node)}")
        # In the order of the call, as Python looks at them.
        given = {name: self.value(one) for name, one in [*zip(names, node.args, strict=False), *named.items()]}
        bound: list[Value] = []
        for parameter in parameters:
            if parameter.name in given:
                bound.append(self.argument(node, given[parameter.name]))
            elif parameter.default is not inspect.Parameter.empty:
                bound.append(self.constant(node, parameter.default))
            else:
                raise self.refuse(node, f"the call {ast.unparse(node)}: {parameter.name} is missing")
        return bound

    def argument(self, node: ast.Call, value: Value) -> Value:
        """A value that a function can be given."""
        if isinstance(value, Unknown):
            raise self.program.refused()
        if isinstance(value, Array | Objects | Single) or (isinstance(value, Number) and value.kind == "nothing"):
            raise self.refuse(node, f"a list given to a function in {ast.unparse(node)}")
        return value

    def emit(self, function: Function, arguments: Sequence[Value]) -> Number:
        """A call, its error handed on."""
        given = list(self.memory.values())
        if self.hot and not function.hot:
            # What is not hot works on the arrays themselves, and is given them in place of the copies.
            given = [self.memory[name] for name in (*ARRAYS, *MEMORY[2:])]
        for argument in arguments:
            if isinstance(argument, Object) and argument.base_f is not None:
                argument = Object(
                    argument.shape,
                    0,
                    0,
                    self.place(argument.base_f, argument.f),
                    self.place(argument.base_n, argument.n),
                )
            given += carried(argument)
        copies = [self.memory[name] for name in (*MEMORY[:2], *ARRAYS)] if self.hot and not function.hot else []
        if copies:
            called = (self.builder.module, function.made.name, function.accesses)
            self.builder.call(self.program.copies.store_for_call(*called), copies)
        result = self.allocate(function.returns) if function.raises and function.returns != "nothing" else None
        made = self.builder.call(function.made, [*given, result] if result else given)
        if copies:
            self.builder.call(self.program.copies.load_after_call(*called), copies)
        if function.raises:
            self.pass_on(made)
            made = self.builder.load(result, typ=TYPES[function.returns]) if result else None
        return Number(made, function.returns)
