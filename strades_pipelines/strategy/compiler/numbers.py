"""Python's arithmetic in LLVM: the same results to the bit, the same errors."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from strades_pipelines.strategy.compiler.values import BOOL, DOUBLE, INT, Number

Raise = Callable[[Any, str, str], None]
FLOAT_SIGNS = {"+": "fadd", "-": "fsub", "*": "fmul"}
INT_SIGNS = {"+": "add", "-": "sub", "*": "mul"}


def to_float(builder: ir.IRBuilder, number: Number) -> Any:
    """The number as a double."""
    if number.kind == "float":
        return number.value
    if number.kind == "bool":
        return builder.uitofp(number.value, DOUBLE)
    return builder.sitofp(number.value, DOUBLE)


def to_int(builder: ir.IRBuilder, number: Number) -> Any:
    """A whole number or truth value as an integer."""
    return builder.zext(number.value, INT) if number.kind == "bool" else number.value


def to_bool(builder: ir.IRBuilder, number: Number) -> Any:
    """Whether a number is not zero; NaN is true, as in Python."""
    if number.kind == "bool":
        return number.value
    if number.kind == "int":
        return builder.icmp_signed("!=", number.value, INT(0))
    return builder.fcmp_unordered("!=", number.value, DOUBLE(0.0))


def as_kind(builder: ir.IRBuilder, number: Number, kind: str) -> Any:
    """The number as another kind that holds it."""
    return {"float": to_float, "int": to_int, "bool": to_bool}[kind](builder, number)


def common(numbers: Sequence[Number]) -> str:
    """The kind that holds all of them."""
    kinds = {number.kind for number in numbers}
    if "float" in kinds:
        return "float"
    return "bool" if kinds == {"bool"} else "int"


def arithmetic(builder: ir.IRBuilder, sign: str, left: Number, right: Number, fail: Raise) -> Number | None:
    """`left sign right`; None where there is no such operation. `fail` raises where its condition holds."""
    if sign == "/":
        over = to_float(builder, right)
        fail(builder.fcmp_ordered("==", over, DOUBLE(0.0)), "ZeroDivisionError", "division by zero")
        return Number(builder.fdiv(to_float(builder, left), over), "float")
    if common([left, right]) == "float":
        if sign in FLOAT_SIGNS:
            made = getattr(builder, FLOAT_SIGNS[sign])(to_float(builder, left), to_float(builder, right))
            return Number(made, "float")
        return _float_modulo(builder, left, right, fail) if sign == "%" else None
    first, second = to_int(builder, left), to_int(builder, right)
    if sign in INT_SIGNS:
        return Number(getattr(builder, INT_SIGNS[sign])(first, second), "int")
    fail(builder.icmp_signed("==", second, INT(0)), "ZeroDivisionError", "division by zero")
    return Number(_floor_division(builder, sign, first, second), "int")


def _floor_division(builder: ir.IRBuilder, sign: str, first: Any, second: Any) -> Any:
    """Towards minus infinity, the rest with the sign of the divisor."""
    rest = builder.srem(first, second)
    wrong = builder.and_(
        builder.icmp_signed("!=", rest, INT(0)), builder.icmp_signed("<", builder.xor(rest, second), INT(0))
    )
    if sign == "%":
        return builder.select(wrong, builder.add(rest, second), rest)
    return builder.sub(builder.sdiv(first, second), builder.zext(wrong, INT))


def _float_modulo(builder: ir.IRBuilder, left: Number, right: Number, fail: Raise) -> Number:
    """As CPython does it: the rest of fmod, brought to the sign of the divisor."""
    over = to_float(builder, right)
    fail(builder.fcmp_ordered("==", over, DOUBLE(0.0)), "ZeroDivisionError", "float modulo")
    rest = builder.frem(to_float(builder, left), over)
    is_zero = builder.fcmp_ordered("==", rest, DOUBLE(0.0))
    differ = builder.xor(builder.fcmp_ordered("<", rest, DOUBLE(0.0)), builder.fcmp_ordered("<", over, DOUBLE(0.0)))
    moved = builder.select(differ, builder.fadd(rest, over), rest)
    zero = call_intrinsic(builder, "llvm.copysign", [DOUBLE(0.0), over])
    return Number(builder.select(is_zero, zero, moved), "float")


def compare(builder: ir.IRBuilder, sign: str, left: Number, right: Number) -> Any:
    """A comparison; with NaN only != holds."""
    if common([left, right]) == "float":
        first, second = to_float(builder, left), to_float(builder, right)
        if sign == "!=":
            return builder.fcmp_unordered("!=", first, second)
        return builder.fcmp_ordered(sign, first, second)
    return builder.icmp_signed(sign, to_int(builder, left), to_int(builder, right))


def smallest(builder: ir.IRBuilder, sign: str, numbers: Sequence[Number]) -> Number:
    """min (sign "<") or max (sign ">"): the first of those that no later one is beyond, as Python picks it."""
    kind = common(numbers)
    found = Number(as_kind(builder, numbers[0], kind), kind)
    for number in numbers[1:]:
        other = Number(as_kind(builder, number, kind), kind)
        chosen = builder.select(compare(builder, sign, other, found), other.value, found.value)
        found = Number(chosen, kind)
    return found


def absolute(builder: ir.IRBuilder, number: Number) -> Number:
    """abs(...)."""
    if number.kind == "float":
        return Number(call_intrinsic(builder, "llvm.fabs", [number.value]), "float")
    value = to_int(builder, number)
    negative = builder.icmp_signed("<", value, INT(0))
    return Number(builder.select(negative, builder.neg(value), value), "int")


def is_finite(builder: ir.IRBuilder, value: Any) -> Any:
    """Neither NaN nor infinite."""
    return builder.fcmp_ordered("<", call_intrinsic(builder, "llvm.fabs", [value]), DOUBLE(float("inf")))


def whole(builder: ir.IRBuilder, value: Any, fail: Raise) -> Number:
    """A float without fraction as an integer."""
    fail(builder.fcmp_unordered("uno", value, value), "ValueError", "cannot convert float NaN to integer")
    size = call_intrinsic(builder, "llvm.fabs", [value])
    fail(
        builder.fcmp_ordered("==", size, DOUBLE(math.inf)), "OverflowError", "cannot convert float infinity to integer"
    )
    fail(builder.fcmp_ordered(">=", size, DOUBLE(2.0**63)), "OverflowError", "an integer of more than 64 bits")
    return Number(builder.fptosi(value, INT), "int")


def call_intrinsic(builder: ir.IRBuilder, name: str, values: Sequence[Any]) -> Any:
    """A function that LLVM knows itself, over doubles."""
    function = builder.module.declare_intrinsic(name, [DOUBLE], ir.FunctionType(DOUBLE, [DOUBLE] * len(values)))
    return builder.call(function, values)


def call_library(builder: ir.IRBuilder, name: str, value: Any) -> Any:
    """A function of the C library, the one that Python calls too."""
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(DOUBLE, [DOUBLE]), name)
    return builder.call(function, [value])


def constant(value: bool | int | float) -> Number:
    """A constant."""
    if isinstance(value, bool):
        return Number(BOOL(value), "bool")
    if isinstance(value, int):
        return Number(INT(value), "int")
    return Number(DOUBLE(value), "float")
