"""The calls of a function, lowered to LLVM: methods of objects, functions of the module, builtins, math."""

import ast
import inspect
import math
from collections.abc import Sequence
from typing import Any

from strades_pipelines.strategy.compiler import numbers
from strades_pipelines.strategy.compiler.expressions import Expressions
from strades_pipelines.strategy.compiler.program import MEMORY, Function, carried, method_of
from strades_pipelines.strategy.compiler.values import (
    DOUBLE,
    TYPES,
    Array,
    Computed,
    Event,
    NotCompilable,
    Number,
    Object,
    Objects,
    Single,
    Value,
)

MATH = ("sqrt", "log", "exp", "sin", "cos", "floor", "ceil", "fabs", "isnan", "isfinite")
BUILTINS = ("abs", "min", "max", "int", "float", "bool", "len")


class Calls(Expressions):
    """What `Body` knows about calls."""

    def see_Call(self, node: ast.Call) -> Value:  # noqa: N802
        if isinstance(node.func, ast.Name):
            held = self.source.names.get(node.func.id)
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
        if isinstance(function.value, ast.Name) and self.source.names.get(function.value.id) is math:
            return self.call_math(node, function.attr)
        owner = self.value(function.value)
        if isinstance(owner, Computed):
            column = owner.column(function.attr)
            return self.in_column(column, owner.row) if column else Number(None, "nothing")
        method = method_of(owner.shape.cls, function.attr) if isinstance(owner, Object) else None
        if not isinstance(owner, Object) or method is None:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        arguments = self.bind(node, method, skip=1)
        made = self.program.method(owner, function.attr, arguments, self.source.where(node), hot=self.hot)
        return self.emit(made, [owner, *arguments])

    def call_name(self, node: ast.Call, name: str) -> Number:
        """A builtin, or a function of the module."""
        held = self.source.names.get(name)
        if inspect.isfunction(held):
            arguments = self.bind(node, held, skip=0)
            made = self.program.function(held, arguments, self.source.where(node), hot=self.hot)
            return self.emit(made, arguments)
        if held is not None or name not in BUILTINS or node.keywords or not node.args:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        if name == "len":
            return self.length(node)
        given = [self.number(argument) for argument in node.args]
        if name in ("min", "max") and len(given) > 1:
            return numbers.smallest(self.builder, "<" if name == "min" else ">", given)
        if len(given) != 1:
            raise self.refuse(node, f"the call {ast.unparse(node)}")
        return self.convert(name, given[0])

    def convert(self, name: str, number: Number) -> Number:
        """abs, int, float or bool of a number."""
        if name == "abs":
            return numbers.absolute(self.builder, number)
        if name == "float":
            return Number(numbers.to_float(self.builder, number), "float")
        if name == "bool":
            return Number(numbers.to_bool(self.builder, number), "bool")
        if number.kind == "float":
            return numbers.whole(self.builder, number.value, self.fail)
        return Number(numbers.to_int(self.builder, number), "int")

    def call_math(self, node: ast.Call, name: str) -> Number:
        """A function of the math module, with Python's errors."""
        if name not in MATH or len(node.args) != 1:
            raise self.refuse(node, f"math.{name}; compiled are {', '.join(MATH)}")
        builder, x = self.builder, numbers.to_float(self.builder, self.number(node.args[0]))
        if name in ("floor", "ceil"):
            return numbers.whole(builder, numbers.call_intrinsic(builder, f"llvm.{name}", [x]), self.fail)
        if name == "fabs":
            return Number(numbers.call_intrinsic(builder, "llvm.fabs", [x]), "float")
        if name == "isnan":
            return Number(builder.fcmp_unordered("uno", x, x), "bool")
        if name == "isfinite":
            return Number(numbers.is_finite(builder, x), "bool")
        zero, endless = DOUBLE(0.0), DOUBLE(math.inf)
        if name in ("sqrt", "log"):
            self.fail(builder.fcmp_ordered("<" if name == "sqrt" else "<=", x, zero), "ValueError", "math domain error")
        if name in ("sin", "cos"):
            size = numbers.call_intrinsic(builder, "llvm.fabs", [x])
            self.fail(builder.fcmp_ordered("==", size, endless), "ValueError", "math domain error")
        if name == "sqrt":
            return Number(numbers.call_intrinsic(builder, "llvm.sqrt", [x]), "float")
        made = numbers.call_library(builder, name, x)
        if name == "exp":
            too_large = builder.and_(builder.fcmp_ordered("==", made, endless), builder.fcmp_ordered("!=", x, endless))
            self.fail(too_large, "OverflowError", "math range error")
        return Number(made, "float")

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
        raise self.refuse(node, f"the call {ast.unparse(node)}")

    def bind(self, node: ast.Call, function: Any, *, skip: int) -> list[Value]:
        """The arguments of a call in the order of the function's parameters, its constant defaults filled in."""
        parameters = list(inspect.signature(function).parameters.values())[skip:]
        names = [parameter.name for parameter in parameters]
        given = dict(zip(names, node.args, strict=False)) | {word.arg or "": word.value for word in node.keywords}
        if len(node.args) > len(names) or set(given) - set(names):
            raise self.refuse(node, f"the call {ast.unparse(node)}: too many arguments")
        bound: list[Value] = []
        for parameter in parameters:
            if parameter.name in given:
                bound.append(self.value(given[parameter.name]))
            elif parameter.default is not inspect.Parameter.empty:
                bound.append(self.constant(node, parameter.default))
            else:
                raise self.refuse(node, f"the call {ast.unparse(node)}: {parameter.name} is missing")
        return bound

    def emit(self, function: Function, arguments: Sequence[Value]) -> Number:
        """A call, its error handed on."""
        given = list(self.memory.values())
        if self.hot and not function.hot:
            given = [self.memory[name] for name in ("HF", "HN", *MEMORY[2:])]
        for argument in arguments:
            if isinstance(argument, Object) and argument.base_f is not None:
                argument = Object(
                    argument.shape,
                    0,
                    0,
                    self.place(argument.base_f, argument.f),
                    self.place(argument.base_n, argument.n),
                )
            if isinstance(argument, Array | Objects | Single):
                raise NotCompilable(f"{self.source.where(self.source.tree)}: a list handed to a function")
            given += carried(argument)
        copies = [self.memory[name] for name in ("F", "N", "HF", "HN")] if self.hot and not function.hot else []
        if copies:
            called = (self.builder.module, function.made.name, function.touched)
            self.builder.call(self.program.copies.out(*called), copies)
        result = self.allocate(function.returns) if function.raises and function.returns != "nothing" else None
        made = self.builder.call(function.made, [*given, result] if result else given)
        if copies:
            self.builder.call(self.program.copies.back(*called), copies)
        if function.raises:
            self.pass_on(made)
            made = self.builder.load(result, typ=TYPES[function.returns]) if result else None
        return Number(made, function.returns)
