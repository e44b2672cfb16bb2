"""Fees and fills as people write them on a command line: `per-share:0.005,min=1`, `next-open,spread=0.02,latency=5s`.

A rate of a price or of a notional is in percent: `percent:0.1` is a tenth of a percent.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.simulated_broker import NEXT_OPEN, SAME_CLOSE
from strades_pipelines.market.fees import Fee, MakerTakerFee, PercentFee, PerContractFee, PerShareFee, TieredFee

DURATIONS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
FEES = (
    "none, percent:RATE, per-share:AMOUNT[,min=AMOUNT][,max-percent=RATE], maker-taker:RATE,RATE, "
    "tiered:0=RATE,NOTIONAL=RATE[,...], per-contract:AMOUNT; a RATE is in percent of the notional"
)
FILLS = (
    "next-open or same-close, and any of participation=SHARE, spread=PERCENT, slippage=PERCENT, amount=PRICE, "
    "impact=FACTOR, latency=DURATION (5s, 250ms), path=worst|best"
)


def parse_fee(spec: str) -> Callable[[], Fee]:
    """What makes the fee of a spec; it can be pickled.

    Raises:
        BadInput: with the part of the spec that is wrong, and what specs there are.
    """
    kind, _, rest = spec.strip().partition(":")
    parts = [part.strip() for part in rest.split(",")] if rest.strip() else []
    if kind not in FEE_PARSERS:
        raise BadInput(f"fee: expected one of {FEES}; found {spec!r}")
    try:
        return FEE_PARSERS[kind](parts)
    except ValueError as error:
        raise BadInput(f"fee: {error}; found {spec!r}; expected one of {FEES}") from None


def parse_fills(spec: str) -> dict[str, Any]:
    """The arguments of `SimulatedBroker` that a spec of fills stands for.

    Raises:
        BadInput: with the part of the spec that is wrong, and what there is.
    """
    parts = [part.strip() for part in spec.split(",")]
    when = parts.pop(0) if "=" not in parts[0] else "next-open"
    try:
        if when not in ("next-open", "same-close"):
            raise ValueError(f"{when!r} is neither next-open nor same-close")
        arguments: dict[str, Any] = {"fill": SAME_CLOSE if when == "same-close" else NEXT_OPEN}
        for name, text in _named(parts, FILL_PARTS).items():
            argument, parse = FILL_PARTS[name]
            arguments[argument] = parse(name, text)
    except ValueError as error:
        raise BadInput(f"fill: {error}; found {spec!r}; expected {FILLS}") from None
    return arguments


def parse_duration(name: str, text: str) -> int:
    """`250ms`, `5s`, `1m`, `4h`, `1d` in microseconds."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(digits) :]
    if unit not in DURATIONS:
        raise ValueError(f"{name}: a number and one of {', '.join(DURATIONS)} is expected, not {text!r}")
    return round(number(name, digits) * DURATIONS[unit])


def number(name: str, text: str, *, low: float = 0.0, high: float = math.inf) -> float:
    """A finite number from `low` to `high`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not low <= value <= high:
        bounds = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise ValueError(f"{name}: a number {bounds} is expected, not {text!r}")
    return value


def _rate(name: str, text: str) -> float:
    """Percent as a part of 1, to the float nearest to it."""
    return number(name, text) / 100.0


def _single(what: str, parts: list[str]) -> str:
    if not parts or "=" in parts[0]:
        raise ValueError(f"{what} is missing")
    return parts.pop(0)


def _named(parts: list[str], known: Mapping[str, Any]) -> dict[str, str]:
    """name=value parts; each known name at most once."""
    given: dict[str, str] = {}
    for part in parts:
        name, equals, text = part.partition("=")
        if not equals or name not in known:
            among = f", which takes {', '.join(known)}" if known else ""
            raise ValueError(f"{part!r} is not understood{among}")
        if name in given:
            raise ValueError(f"{name} is given twice")
        given[name] = text
    return given


def _none(parts: list[str]) -> Callable[[], Fee]:
    _named(parts, {})
    return Fee


def _percent(parts: list[str]) -> Callable[[], Fee]:
    rate = _rate("rate", _single("the rate", parts))
    _named(parts, {})
    return partial(PercentFee, rate)


def _per_share(parts: list[str]) -> Callable[[], Fee]:
    rate = number("amount", _single("the amount a share", parts))
    given = _named(parts, {"min": None, "max-percent": None})
    minimum = number("min", given.get("min", "0"))
    maximum = _rate("max-percent", given["max-percent"]) if "max-percent" in given else math.inf
    return partial(PerShareFee, rate, minimum, maximum)


def _maker_taker(parts: list[str]) -> Callable[[], Fee]:
    maker = number("maker", _single("the maker's rate", parts), low=-100.0, high=100.0) / 100.0
    taker = _rate("taker", _single("the taker's rate", parts))
    _named(parts, {})
    return partial(MakerTakerFee, maker, taker)


def _tiered(parts: list[str]) -> Callable[[], Fee]:
    tiers = [part.partition("=") for part in parts]
    floors = [number("notional", floor) for floor, _, _ in tiers]
    rates = [_rate("rate", rate) for _, _, rate in tiers]
    TieredFee(floors, rates)  # it refuses floors that do not rise from 0
    return partial(TieredFee, floors, rates)


def _per_contract(parts: list[str]) -> Callable[[], Fee]:
    amount = number("amount", _single("the amount a contract", parts))
    _named(parts, {})
    return partial(PerContractFee, amount)


def _share(name: str, text: str) -> float:
    share = number(name, text, high=1.0)
    if share == 0.0:
        raise ValueError(f"{name}: a number above 0 is expected, not {text!r}")
    return share


def _path(name: str, text: str) -> bool:
    if text not in ("worst", "best"):
        raise ValueError(f"{name}: worst or best is expected, not {text!r}")
    return text == "best"


FEE_PARSERS: dict[str, Callable[[list[str]], Callable[[], Fee]]] = {
    "none": _none,
    "percent": _percent,
    "per-share": _per_share,
    "maker-taker": _maker_taker,
    "tiered": _tiered,
    "per-contract": _per_contract,
}
FILL_PARTS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "participation": ("participation", _share),
    "spread": ("spread", _rate),
    "slippage": ("slippage", _rate),
    "amount": ("slippage_amount", number),
    "impact": ("impact", number),
    "latency": ("latency", parse_duration),
    "path": ("best_path", _path),
}
