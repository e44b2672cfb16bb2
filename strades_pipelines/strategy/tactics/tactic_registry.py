"""Tactics by name and parameters, and as people write them: `stop-loss:2`, `trading-hours:13:30-20:00,days=mon-fri`.

A spec is a name, a colon, the value of the first parameter, and others as `name=value`, separated by commas; a
parameter that is true or false is written as its name alone. `-` and `_` are the same in names.

Sizes: `fixed:UNITS`, `percent:PERCENT[,whole]`,
`volatility:TARGET_PERCENT[,lookback=20][,periods=252][,cap=100][,whole]`,
`kelly:FRACTION[,trades=20][,start=10][,cap=100][,whole]`.
Exits: `stop-loss:PERCENT`, `take-profit:PERCENT`, `trailing-stop:PERCENT`.
Limits: `cool-down:BARS`, `max-drawdown:PERCENT`, `max-positions:COUNT`,
`trading-hours:HH:MM-HH:MM[,days=mon-fri]` (UTC; days are one day, a range, or several of them joined by `+`).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.strategy.tactics import Tactic
from strades_pipelines.strategy.tactics.entry_limits import CoolDown, MaxDrawdown, MaxPositions, TradingHours
from strades_pipelines.strategy.tactics.exits import StopLoss, TakeProfit, TrailingStop
from strades_pipelines.strategy.tactics.sizing import FixedUnits, KellyFraction, PercentOfEquity, VolatilityTarget

Maker = Callable[[int], Tactic]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Parameter:
    """What a parameter may be: a number above `low` and up to `high`, whole ones only, or true or false."""

    kind: type = float
    low: float = 0.0
    high: float = math.inf
    required: bool = False

    def read(self, where: str, value: Any) -> Any:
        """The value as its kind.

        Raises:
            BadInput: it is not, or out of range.
        """
        if self.kind is bool:
            if value in (True, False):
                return bool(value)
            raise BadInput(f"{where}: expected true or false, was {value!r}")
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and self.low < number <= self.high) or (self.kind is int and number % 1):
            bounds = f"above {self.low:g}" + (f" and up to {self.high:g}" if self.high < math.inf else "")
            raise BadInput(f"{where}: expected a {'whole ' if self.kind is int else ''}number {bounds}, was {value!r}")
        return self.kind(number)


FIRST = Parameter(required=True)
PERCENT = Parameter(high=100.0, required=True)
COUNT = Parameter(int, required=True)
WHOLE, CAP = Parameter(bool), Parameter()
HOURS = Parameter(str, required=True)
SIZES: dict[str, tuple[Any, dict[str, Parameter]]] = {
    "fixed": (FixedUnits, {"units": FIRST}),
    "percent": (PercentOfEquity, {"percent": FIRST, "whole": WHOLE}),
    "volatility": (
        VolatilityTarget,
        {"target": FIRST, "lookback": Parameter(int, low=1.0), "periods": CAP, "cap": CAP, "whole": WHOLE},
    ),
    "kelly": (
        KellyFraction,
        {"fraction": FIRST, "trades": Parameter(int), "start": CAP, "cap": CAP, "whole": WHOLE},
    ),
}
TACTICS: dict[str, tuple[Any, dict[str, Parameter]]] = {
    **SIZES,
    "stop_loss": (StopLoss, {"percent": PERCENT}),
    "take_profit": (TakeProfit, {"percent": FIRST}),
    "trailing_stop": (TrailingStop, {"percent": PERCENT}),
    "cool_down": (CoolDown, {"bars": COUNT}),
    "max_drawdown": (MaxDrawdown, {"percent": PERCENT}),
    "max_positions": (MaxPositions, {"count": COUNT}),
    "trading_hours": (TradingHours, {"hours": HOURS, "days": Parameter(str)}),
}


def make_tactic(name: str, parameters: Mapping[str, Any]) -> Maker:
    """What makes a tactic, given the number of instruments; it can be pickled. Order matters: sizing comes first.

    Raises:
        BadInput: for a name or parameter that there is not, one that is missing, or a value that cannot be.
    """
    key = name.strip().replace("-", "_")
    if key not in TACTICS:
        raise BadInput(f"tactic: expected one of {', '.join(TACTICS)}, was {name!r}")
    cls, known = TACTICS[key]
    for given in parameters:
        if given not in known:
            raise BadInput(f"tactic {key}: parameter {given}: expected one of {', '.join(known)}")
    for wanted, parameter in known.items():
        if parameter.required and wanted not in parameters:
            raise BadInput(f"tactic {key}: parameter {wanted} is missing")
    if cls is TradingHours:
        return partial(TradingHours, **_hours(f"tactic {key}", **parameters))
    return partial(cls, **{one: known[one].read(f"tactic {key}: {one}", parameters[one]) for one in parameters})


def parse(spec: str) -> Maker:
    """What makes the tactic of a spec; see the module.

    Raises:
        BadInput: as `make_tactic` does, and for a spec that is not understood.
    """
    name, _, rest = spec.strip().partition(":")
    key = name.strip().replace("-", "_")
    if key not in TACTICS:
        raise BadInput(f"tactic: expected one of {', '.join(TACTICS).replace('_', '-')}, found {spec!r}")
    known = TACTICS[key][1]
    given: dict[str, Any] = {}
    for k, part in enumerate(rest.split(",") if rest.strip() else []):
        parameter, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals:
            flag = known.get(parameter, FIRST).kind is bool
            parameter, text = (parameter, "true") if flag or k else (next(iter(known)), parameter)
        if parameter in given:
            raise BadInput(f"tactic {key}: parameter {parameter} is given twice in {spec!r}")
        given[parameter] = {"true": True, "false": False}.get(text, text)
    return make_tactic(key, given)


def parse_size(spec: str) -> Maker:
    """What makes the sizing rule of a spec: fixed, percent, volatility or kelly.

    Raises:
        BadInput: as `parse` does, and for a tactic that is no sizing rule.
    """
    if spec.strip().partition(":")[0].strip().replace("-", "_") not in SIZES:
        raise BadInput(f"size: expected one of {', '.join(SIZES)}, found {spec!r}")
    return parse(spec)


def _hours(where: str, hours: Any, days: Any = "mon-sun") -> dict[str, Any]:
    """Minutes of the day and the days of `13:30-20:00` and `mon-fri`."""
    edges = [_minute(where, text) for text in str(hours).split("-")]
    if len(edges) != 2 or edges[0] == edges[1]:
        raise BadInput(f"{where}: hours: expected HH:MM-HH:MM, was {hours!r}")
    return {"start": edges[0], "end": edges[1], "days": _days(where, str(days))}


def _minute(where: str, text: str) -> int:
    hour, colon, minute = text.strip().partition(":")
    # `isdecimal`: a ² is a digit too, which int() does not take.
    if not (colon and hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
        raise BadInput(f"{where}: hours: expected HH:MM-HH:MM, was {text!r} in it")
    return int(hour) * 60 + int(minute)


def _days(where: str, text: str) -> tuple[bool, ...]:
    chosen = [False] * 7
    for part in text.lower().split("+"):
        first, _, last = (piece.strip() for piece in part.partition("-"))
        if first not in DAYS or (last or first) not in DAYS:
            raise BadInput(f"{where}: days: expected {', '.join(DAYS)}, a range or several joined by +, was {text!r}")
        start = DAYS.index(first)
        # A range may go over Sunday: `fri-mon`.
        for k in range((DAYS.index(last or first) - start) % 7 + 1):
            chosen[(start + k) % 7] = True
    return tuple(chosen)
