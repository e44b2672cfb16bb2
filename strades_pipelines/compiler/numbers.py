"""Python's arithmetic in LLVM: the same results to the bit, the same errors.

Kinds: float, int, bool, and real: a float, or an int that a float holds exactly, known only when the code runs. What
would come out different from Python's ints of any size ends the run by an error named `PER_EVENT`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.lowered_values import BOOL, DOUBLE, INT, PER_EVENT, Number

Raise = Callable[[Any, str, str], None]
FLOAT_SIGNS = {"+": "fadd", "-": "fsub", "*": "fmul"}
INT_SIGNS = {"+": "add", "-": "sub", "*": "mul"}
CHECKED_SIGNS = {"+": "sadd_with_overflow", "-": "ssub_with_overflow", "*": "smul_with_overflow"}
EXACT = 1 << 53  # every int up to here is a float
LEAST = -(1 << 63)
TOO_LARGE = "an integer of more than 64 bits"
NOT_EXACT = "an integer above 2**53 beside a float"
INT_OR_FLOAT = "the result depends on whether a number is an int or a float"


def _text_of(operation: Callable[[], Any]) -> str:
    """What this version of Python says of an operation that fails."""
    try:
        operation()
    except ArithmeticError as error:
        return str(error)
    raise AssertionError("the operation does not fail")


ONE, NOTHING = 1, 0
TEXTS = {
    ("int", "/"): _text_of(lambda: ONE / NOTHING),
    ("int", "//"): _text_of(lambda: ONE // NOTHING),
    ("int", "%"): _text_of(lambda: ONE % NOTHING),
    ("float", "/"): _text_of(lambda: 1.0 / NOTHING),
    ("float", "//"): _text_of(lambda: 1.0 // NOTHING),
    ("float", "%"): _text_of(lambda: 1.0 % NOTHING),
}


def to_float(builder: ir.IRBuilder, number: Number) -> Any:
    """The number as a double; an int above 2**53 is rounded, half to even, as Python rounds it."""
    if number.kind in ("float", "real"):
        return number.value
    if number.kind == "bool":
        return builder.uitofp(number.value, DOUBLE)
    return builder.sitofp(number.value, DOUBLE)


def to_exact(builder: ir.IRBuilder, number: Number, fail: Raise | None) -> Any:
    """The number as a double that equals it; `fail` is None where the code sees to that."""
    if number.kind != "int" or fail is None:
        return to_float(builder, number)
    if isinstance(number.value, ir.Constant):
        if abs(number.value.constant) > EXACT:
            fail(BOOL(True), PER_EVENT, NOT_EXACT)
    else:
        # Both ends by one comparison: below the range it wraps to a large number.
        wide = builder.icmp_unsigned(">", builder.add(number.value, INT(EXACT)), INT(2 * EXACT))
        fail(wide, PER_EVENT, NOT_EXACT)
    return to_float(builder, number)


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


def as_kind(builder: ir.IRBuilder, number: Number, kind: str, fail: Raise) -> Any:
    """The number as another kind that holds it."""
    if kind == "real":
        return to_exact(builder, number, fail)
    return {"float": to_float, "int": to_int, "bool": to_bool}[kind](builder, number)


def common(kinds: Sequence[str]) -> str:
    """The kind that holds numbers of all of these."""
    found = set(kinds)
    if len(found) == 1:
        return found.pop()
    return "int" if found <= {"int", "bool"} else "real"


def arithmetic(
    builder: ir.IRBuilder, sign: str, left: Number, right: Number, fail: Raise, *, checked: bool
) -> Number | None:
    """`left sign right`; None where there is no such operation. `fail` raises where its condition holds.

    Args:
        checked: whether integers may leave 64 bits, or 53 where they meet floats.
    """
    kinds = {left.kind, right.kind}
    exact = fail if checked else None
    if kinds <= {"int", "bool"}:
        first, second = to_int(builder, left), to_int(builder, right)
        if sign == "/":
            _refuse_zero(builder, "int", sign, right, fail)
            return Number(builder.fdiv(to_exact(builder, left, exact), to_exact(builder, right, exact)), "float")
        if sign in INT_SIGNS:
            return Number(_checked(builder, CHECKED_SIGNS[sign], first, second, exact), "int")
        _refuse_zero(builder, "int", sign, right, fail)
        if exact and sign == "//":
            least = builder.icmp_signed("==", first, INT(LEAST))
            exact(builder.and_(least, builder.icmp_signed("==", second, INT(-1))), PER_EVENT, TOO_LARGE)
        return Number(_floor_division(builder, sign, first, second), "int")
    if sign not in ("/", "//", "%", *FLOAT_SIGNS):
        return None
    if "float" not in kinds:
        return _real_arithmetic(builder, sign, left, right, fail)
    over = to_float(builder, right)
    if sign == "/":
        _refuse_zero(builder, "float", sign, right, fail)
        return Number(builder.fdiv(to_float(builder, left), over), "float")
    if sign in FLOOR_SIGNS:
        _refuse_zero(builder, "float", sign, right, fail)
        return Number(FLOOR_SIGNS[sign](builder, to_float(builder, left), over), "float")
    return Number(getattr(builder, FLOAT_SIGNS[sign])(to_float(builder, left), over), "float")


def _real_arithmetic(builder: ir.IRBuilder, sign: str, left: Number, right: Number, fail: Raise) -> Number:
    """Of numbers that may both be ints: right for ints and floats alike, or per event."""
    first, second = to_exact(builder, left, fail), to_exact(builder, right, fail)
    if sign in ("/", *FLOOR_SIGNS):
        fail(builder.fcmp_ordered("==", second, DOUBLE(0.0)), PER_EVENT, INT_OR_FLOAT)
    if sign == "/":
        return Number(builder.fdiv(first, second), "float")
    signs = {name: getattr(builder, operation) for name, operation in FLOAT_SIGNS.items()}
    made = FLOOR_SIGNS[sign](builder, first, second) if sign in FLOOR_SIGNS else signs[sign](first, second)
    size = call_intrinsic(builder, "llvm.fabs", [made])
    fail(builder.fcmp_ordered(">=", size, DOUBLE(float(EXACT))), PER_EVENT, INT_OR_FLOAT)
    fail(_is_minus_zero(builder, made), PER_EVENT, INT_OR_FLOAT)
    return Number(made, "real")


def _is_minus_zero(builder: ir.IRBuilder, value: Any) -> Any:
    return builder.icmp_signed("==", builder.bitcast(value, INT), INT(LEAST))


def _refuse_zero(builder: ir.IRBuilder, kind: str, sign: str, number: Number, fail: Raise) -> None:
    """Raise what Python raises where a divisor is zero."""
    if isinstance(number.value, ir.Constant) and number.value.constant != 0:
        return
    is_zero = builder.not_(to_bool(builder, number))
    fail(is_zero, "ZeroDivisionError", TEXTS[kind, sign])


def _checked(builder: ir.IRBuilder, operation: str, first: Any, second: Any, fail: Raise | None) -> Any:
    """An operation on integers; more than 64 bits end the run."""
    if fail is None:
        plain = {checked: INT_SIGNS[sign] for sign, checked in CHECKED_SIGNS.items()}
        return getattr(builder, plain[operation])(first, second)
    both = getattr(builder, operation)(first, second)
    fail(builder.extract_value(both, 1), PER_EVENT, TOO_LARGE)
    return builder.extract_value(both, 0)


def _floor_division(builder: ir.IRBuilder, sign: str, first: Any, second: Any) -> Any:
    """Towards minus infinity, the rest with the sign of the divisor."""
    # The least integer divided by -1 has no result in LLVM; its rest is that by 1.
    divisor = builder.select(builder.icmp_signed("==", second, INT(-1)), INT(1), second) if sign == "%" else second
    rest = builder.srem(first, divisor)
    wrong = builder.and_(
        builder.icmp_signed("!=", rest, INT(0)), builder.icmp_signed("<", builder.xor(rest, second), INT(0))
    )
    if sign == "%":
        return builder.select(wrong, builder.add(rest, second), rest)
    return builder.sub(builder.sdiv(first, second), builder.zext(wrong, INT))


def _float_modulo(builder: ir.IRBuilder, value: Any, over: Any) -> Any:
    """As CPython does it: the rest of fmod, brought to the sign of the divisor."""
    rest = builder.frem(value, over)
    is_zero = builder.fcmp_ordered("==", rest, DOUBLE(0.0))
    differ = builder.xor(builder.fcmp_ordered("<", rest, DOUBLE(0.0)), builder.fcmp_ordered("<", over, DOUBLE(0.0)))
    moved = builder.select(differ, builder.fadd(rest, over), rest)
    zero = call_intrinsic(builder, "llvm.copysign", [DOUBLE(0.0), over])
    return builder.select(is_zero, zero, moved)


def _float_floor_division(builder: ir.IRBuilder, value: Any, over: Any) -> Any:
    """As CPython does it (`_float_div_mod`): what is left without the rest is divided, and the quotient rounded."""
    rest = builder.frem(value, over)
    differ = builder.xor(builder.fcmp_ordered("<", rest, DOUBLE(0.0)), builder.fcmp_ordered("<", over, DOUBLE(0.0)))
    wrong = builder.and_(builder.fcmp_unordered("!=", rest, DOUBLE(0.0)), differ)
    quotient = builder.fdiv(builder.fsub(value, rest), over)
    quotient = builder.select(wrong, builder.fsub(quotient, DOUBLE(1.0)), quotient)
    floor = call_intrinsic(builder, "llvm.floor", [quotient])
    is_above = builder.fcmp_ordered(">", builder.fsub(quotient, floor), DOUBLE(0.5))
    nearest = builder.select(is_above, builder.fadd(floor, DOUBLE(1.0)), floor)
    zero = call_intrinsic(builder, "llvm.copysign", [DOUBLE(0.0), builder.fdiv(value, over)])
    return builder.select(builder.fcmp_ordered("==", quotient, DOUBLE(0.0)), zero, nearest)


FLOOR_SIGNS = {"//": _float_floor_division, "%": _float_modulo}


def negative(builder: ir.IRBuilder, number: Number, fail: Raise, *, checked: bool) -> Number:
    """-number."""
    if isinstance(number.value, ir.Constant) and number.kind in ("int", "float") and number.value.constant != LEAST:
        return constant(-number.value.constant)
    if number.kind == "float":
        return Number(builder.fneg(number.value), "float")
    if number.kind == "real":
        fail(builder.fcmp_ordered("==", number.value, DOUBLE(0.0)), PER_EVENT, INT_OR_FLOAT)
        return Number(builder.fneg(number.value), "real")
    exact = fail if checked and number.kind == "int" else None
    return Number(_checked(builder, CHECKED_SIGNS["-"], INT(0), to_int(builder, number), exact), "int")


def compare(builder: ir.IRBuilder, sign: str, left: Number, right: Number, fail: Raise | None) -> Any:
    """A comparison; with NaN only != holds.

    Args:
        fail: None where no integer above 2**53 is compared with a float.
    """
    if {left.kind, right.kind} <= {"int", "bool"}:
        return builder.icmp_signed(sign, to_int(builder, left), to_int(builder, right))
    first, second = to_float(builder, left), to_float(builder, right)
    whole_number = next((number for number in (left, right) if number.kind == "int"), None)
    is_small = (
        whole_number and isinstance(whole_number.value, ir.Constant) and abs(whole_number.value.constant) <= EXACT
    )
    if whole_number and not is_small and fail:
        # Rounded, an integer is on no other side of a float, but may be equal to one that it is beside of.
        size = call_intrinsic(builder, "llvm.fabs", [first])
        wide = builder.fcmp_ordered(">=", size, DOUBLE(float(EXACT)))
        fail(builder.and_(builder.fcmp_ordered("==", first, second), wide), PER_EVENT, NOT_EXACT)
    if sign == "!=":
        return builder.fcmp_unordered("!=", first, second)
    return builder.fcmp_ordered(sign, first, second)


def smallest(builder: ir.IRBuilder, sign: str, numbers: Sequence[Number], fail: Raise) -> Number:
    """min (sign "<") or max (sign ">"): the first of those that no later one is beyond, as Python picks it."""
    kind = common([number.kind for number in numbers])
    found = Number(as_kind(builder, numbers[0], kind, fail), kind)
    for number in numbers[1:]:
        other = Number(as_kind(builder, number, kind, fail), kind)
        chosen = builder.select(compare(builder, sign, other, found, None), other.value, found.value)
        found = Number(chosen, kind)
    return found


def absolute(builder: ir.IRBuilder, number: Number, fail: Raise, *, checked: bool) -> Number:
    """abs(...)."""
    if number.kind in ("float", "real"):
        return Number(call_intrinsic(builder, "llvm.fabs", [number.value]), number.kind)
    value = to_int(builder, number)
    exact = fail if checked and number.kind == "int" else None
    is_negative = builder.icmp_signed("<", value, INT(0))
    return Number(
        builder.select(is_negative, _checked(builder, CHECKED_SIGNS["-"], INT(0), value, exact), value), "int"
    )


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
    fail(builder.fcmp_ordered(">=", size, DOUBLE(2.0**63)), PER_EVENT, TOO_LARGE)
    return Number(builder.fptosi(value, INT), "int")


def call_intrinsic(builder: ir.IRBuilder, name: str, values: Sequence[Any]) -> Any:
    """A function that LLVM knows itself, over doubles."""
    function = builder.module.declare_intrinsic(name, [DOUBLE], ir.FunctionType(DOUBLE, [DOUBLE] * len(values)))
    return builder.call(function, values)


def constant(value: bool | int | float) -> Number:
    """A constant."""
    if isinstance(value, bool):
        return Number(BOOL(value), "bool")
    if isinstance(value, int):
        return Number(INT(value), "int")
    return Number(DOUBLE(value), "float")
