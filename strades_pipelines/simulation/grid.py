"""The sets of parameters of a sweep: every combination of ranges and choices."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.strategy_files import value_of

MOST = 10_000_000


def axes(cls: type[Strategy], ranges: Iterable[str], choices: Iterable[str]) -> dict[str, list[Any]]:
    """The values of each parameter that is varied.

    Args:
        ranges: `name=start:stop:step`, stop not included; the step is 1 where it is left out.
        choices: `name=a,b,c`.

    Raises:
        BadInput: for what is not so, a parameter that is not declared or given twice, and a value of another type.
    """
    found: dict[str, list[Any]] = {}
    for option, texts in (("--range", ranges), ("--choices", choices)):
        for text in texts:
            name, equals, rest = text.partition("=")
            if not equals or not rest:
                form = "name=start:stop:step" if option == "--range" else "name=a,b"
                raise BadInput(f"{option}: expected {form}, found {text!r}")
            if name in found:
                raise BadInput(f"{option}: parameter {name}: expected it once, found it again in {text!r}")
            found[name] = _range(cls, name, rest) if option == "--range" else _choices(cls, name, rest)
    if not found:
        raise BadInput("expected --range name=start:stop:step or --choices name=a,b for a parameter at least")
    if (count := math.prod(map(len, found.values()))) > MOST:
        raise BadInput(f"expected at most {MOST:,} sets of parameters, found {count:,}")
    return found


def combinations(varied: Mapping[str, Sequence[Any]]) -> Iterable[dict[str, Any]]:
    """Every set of values, the last parameter varying fastest."""
    for values in itertools.product(*varied.values()):
        yield dict(zip(varied, values, strict=True))


def _range(cls: type[Strategy], name: str, text: str) -> list[Any]:
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise BadInput(f"--range: parameter {name}: expected start:stop:step, found {text!r}")
    start, stop = (value_of(cls, name, part) for part in parts[:2])
    step = value_of(cls, name, parts[2]) if len(parts) == 3 else type(start)(1)
    numbers = (start, stop, step)
    # By its type: a truth value is an `int`, too.
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise BadInput(f"--range: parameter {name}: expected numbers, found {text!r}")
    # A step that meets the stop but for rounding ends before it, as it would in exact numbers.
    count = math.ceil((stop - start) / step - 1e-9) if step > 0 else 0
    if count < 1:
        raise BadInput(f"--range: parameter {name}: expected a stop above the start and a step above 0, found {text!r}")
    if count > MOST:
        raise BadInput(f"--range: parameter {name}: expected at most {MOST:,} values, found {count:,}")
    if type(start) is float or type(step) is float:
        # As a user would type them: 0.1 and twice 0.1 more are 0.3.
        first, more = (Decimal(repr(number)) for number in (start, step))
        return [float(first + k * more) for k in range(count)]
    return [start + k * step for k in range(count)]


def _choices(cls: type[Strategy], name: str, text: str) -> list[Any]:
    values = [value_of(cls, name, part) for part in text.split(",")]
    if len(set(values)) < len(values):
        raise BadInput(f"--choices: parameter {name}: expected different values, found {text!r}")
    return values
