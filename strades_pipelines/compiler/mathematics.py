"""The functions of Python's math module in LLVM: those of the C library that Python calls, with Python's errors."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.lowered_values import DOUBLE, Number
from strades_pipelines.compiler.numbers import Raise, call_intrinsic, is_finite, whole

# Where an argument is out of the domain, Python raises; the others are checked by what comes out, as Python does it.
OF_ONE = ("exp", "expm1", "sinh", "cosh", "tanh", "sin", "cos", "tan", "asin", "acos", "atan", "sqrt", "fabs")
LOGARITHMS = ("log", "log2", "log10", "log1p")
OF_TWO = ("atan2", "copysign", "fmod")
QUESTIONS = ("isnan", "isinf", "isfinite")
WHOLE = ("floor", "ceil", "trunc")
NAMES = (*OF_ONE, *LOGARITHMS, *OF_TWO, *WHOLE, *QUESTIONS)
DOMAIN, RANGE = "math domain error", "math range error"
# Too large a result is an error of these; others have none.
OVERFLOWING = ("exp", "expm1", "sinh", "cosh")


def call(builder: ir.IRBuilder, name: str, given: Sequence[Any], fail: Raise) -> Number:
    """`math.name(*given)` of doubles."""
    x = given[0]
    if name in WHOLE:
        return whole(builder, call_intrinsic(builder, f"llvm.{name}", [x]), fail)
    if name in QUESTIONS:
        return Number(_question(builder, name, x), "bool")
    if name in ("fabs", "copysign"):
        return Number(call_intrinsic(builder, f"llvm.{name}", given), "float")
    if name == "atan2":
        return Number(call_library(builder, name, given), "float")
    if name in LOGARITHMS:
        least = -1.0 if name == "log1p" else 0.0
        fail(builder.fcmp_ordered("<=", x, DOUBLE(least)), "ValueError", _said(name, least))
        return Number(call_library(builder, name, given), "float")
    if name == "sqrt":
        fail(builder.fcmp_ordered("<", x, DOUBLE(0.0)), "ValueError", _said(name, -1.0))
        return Number(call_intrinsic(builder, "llvm.sqrt", [x]), "float")
    made = call_library(builder, name, given)
    # What comes of NaN is NaN, and no error.
    came_of_nan = builder.fcmp_unordered("uno", x, given[-1])
    is_nan = builder.fcmp_unordered("uno", made, made)
    fail(builder.and_(is_nan, builder.not_(came_of_nan)), "ValueError", DOMAIN)
    if name in OVERFLOWING:
        endless = builder.fcmp_ordered("==", call_intrinsic(builder, "llvm.fabs", [made]), DOUBLE(math.inf))
        fail(builder.and_(endless, is_finite(builder, x)), "OverflowError", RANGE)
    return Number(made, "float")


def _said(name: str, value: float) -> str:
    """What this version of Python says of an argument out of the domain."""
    function: Callable[[float], float] = getattr(math, name)
    try:
        function(value)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"math.{name}({value}) does not fail")


def _question(builder: ir.IRBuilder, name: str, x: Any) -> Any:
    if name == "isnan":
        return builder.fcmp_unordered("uno", x, x)
    if name == "isinf":
        return builder.fcmp_ordered("==", call_intrinsic(builder, "llvm.fabs", [x]), DOUBLE(math.inf))
    return is_finite(builder, x)


def call_library(builder: ir.IRBuilder, name: str, given: Sequence[Any]) -> Any:
    """A function of the C library, the one that Python calls too."""
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(DOUBLE, [DOUBLE] * len(given)), name)
    return builder.call(function, given)
