"""The limits of a wallet: one table, and the one function that finds the limit an order is over.

`exceeded` is written over plain numbers. `market.risk` calls it with Decimal, `engine.gate` with float, and the
engine compiles it: so backtest, replay, paper and live have the same rules.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

from strades_pipelines.market.ledger_chain import plain

Number = TypeVar("Number", Decimal, float)
ENDLESS = Decimal("Infinity")
HUNDRED = Decimal(100)
MOST = Decimal(10) ** 15

# What `exceeded` returns: 0, or the number of an outcome of the engine (`strategy.orders.OUTCOMES`).
WITHIN_LIMITS, BELOW_ZERO, OVER_WEIGHT, OVER_LEVERAGE = 0, 5, 7, 8
(
    RESTRICTED,
    OLD_PRICE,
    OVER_RATE,
    OUTSIDE_COLLAR,
    OVER_ORDER_UNITS,
    OVER_ORDER_NOTIONAL,
    OVER_POSITION_UNITS,
    OVER_POSITION_NOTIONAL,
    OVER_GROSS,
    OVER_NET,
    OVER_DAILY_LOSS,
    OVER_DRAWDOWN,
) = range(27, 39)


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of the table.

    Args:
        name: the key under `limits` in Wallets.json and of `strades backtest --limit`.
        field: of `Limits`; None for what is no number.
        outcome: what `exceeded` returns for it; None where the engine of backtest and replay does not have it.
        code: of the refusal.
        unit: of the value; `percent` is kept as a part of 1.
        whole: whether only whole numbers make sense.
    """

    name: str
    field: str | None
    outcome: int | None
    code: str
    measures: str
    unit: str
    whole: bool = False


LIMITS = (
    Limit("long_only", None, BELOW_ZERO, "position_below_zero", "whether a position may be short", "true"),
    Limit("restricted", None, RESTRICTED, "restricted", "instruments that may only be sold off", "list of instruments"),
    Limit(
        "open_market_only", None, None, "market_closed", "whether the exchange's session must be on", "true or false"
    ),
    Limit("chosen_only", None, None, "not_chosen", "whether a choice of the day counts", "true or false"),
    Limit("max_price_age_seconds", "max_price_age", OLD_PRICE, "price_too_old", "time since the last price", "seconds"),
    Limit(
        "max_orders_per_minute",
        "max_orders_per_minute",
        OVER_RATE,
        "order_rate",
        "orders of the last 60 seconds, exits and this one too",
        "orders",
        whole=True,
    ),
    Limit(
        "price_collar_percent",
        "price_collar",
        OUTSIDE_COLLAR,
        "price_collar",
        "distance of limit, stop and trail from the last price",
        "percent",
    ),
    Limit("max_order_units", "max_order_units", OVER_ORDER_UNITS, "order_units", "size of one order", "units"),
    Limit(
        "max_order_notional", "max_order_notional", OVER_ORDER_NOTIONAL, "order_notional", "value of one order", "money"
    ),
    Limit(
        "max_position_units",
        "max_position_units",
        OVER_POSITION_UNITS,
        "position_units",
        "size of one position, long or short",
        "units",
    ),
    Limit(
        "max_position_notional",
        "max_position_notional",
        OVER_POSITION_NOTIONAL,
        "position_notional",
        "value of one position",
        "money",
    ),
    Limit(
        "max_position_percent",
        "max_weight",
        OVER_WEIGHT,
        "notional_over_equity",
        "value of one position over equity",
        "percent",
    ),
    Limit("max_gross_notional", "max_gross", OVER_GROSS, "gross_exposure", "value of all positions", "money"),
    Limit("max_net_notional", "max_net", OVER_NET, "net_exposure", "long less short positions", "money"),
    Limit("max_leverage", "leverage", OVER_LEVERAGE, "margin", "value of all positions over equity", "times"),
    Limit(
        "max_daily_loss_percent",
        "max_daily_loss",
        OVER_DAILY_LOSS,
        "daily_loss",
        "equity lost since the day (UTC) began",
        "percent",
    ),
    Limit("max_drawdown_percent", "max_drawdown", OVER_DRAWDOWN, "max_drawdown", "equity below its highest", "percent"),
)
BY_NAME = {limit.name: limit for limit in LIMITS}


@dataclass
class Limits(Generic[Number]):
    """The numbers of the table; infinite where there is no limit. Percentages are parts of 1.

    It is not frozen, since compiled code writes back what it was laid out from.
    """

    max_price_age: Number
    max_orders_per_minute: Number
    price_collar: Number
    max_order_units: Number
    max_order_notional: Number
    max_position_units: Number
    max_position_notional: Number
    max_weight: Number
    max_gross: Number
    max_net: Number
    leverage: Number
    max_daily_loss: Number
    max_drawdown: Number


def no_limits() -> Limits[float]:
    """What a backtest has where nothing else is asked for."""
    return Limits(*[math.inf] * len(fields(Limits)))


def cash_account() -> Limits[Decimal]:
    """What a wallet has: cash alone, and no position larger than the equity."""
    return replace(Limits(*[ENDLESS] * len(fields(Limits))), max_weight=Decimal(1), leverage=Decimal(1))


@dataclass
class Measured(Generic[Number]):
    """What an order that enlarges a position comes to, with all that is under way at its worst.

    Args:
        restricted: whether the instrument may only be sold off.
        price_age: seconds since the last price was known.
        rate: orders of the last minute, this one too.
        distance: how far its farthest limit, stop or trail is from the last price; 0 without one.
        last_price: 0 where none is known.
        units, unit: of the order, both above zero; `unit` is what one costs in the account's currency.
        position: units of the instrument that may come to be held, long or short.
        gross, net: the value of all positions then, short ones counted as positive, and long less short.
        equity, day_equity, peak: now, before the first event of the day (UTC), and the highest so far.
        slack: what rounding may add to a limit: 1 for exact numbers.
    """

    restricted: bool
    price_age: Number
    rate: Number
    distance: Number
    last_price: Number
    units: Number
    unit: Number
    position: Number
    gross: Number
    net: Number
    equity: Number
    day_equity: Number
    peak: Number
    slack: Number


def exceeded(order: Measured[Number], limits: Limits[Number]) -> int:
    """The outcome of the first limit that the order is over; WITHIN_LIMITS for none. At a limit is within it."""
    if order.restricted:
        return RESTRICTED
    if order.price_age > limits.max_price_age:
        return OLD_PRICE
    if order.rate > limits.max_orders_per_minute:
        return OVER_RATE
    # A share of an infinite limit is not formed: infinite times zero is no number.
    if math.isfinite(limits.price_collar) and order.distance > limits.price_collar * order.last_price * order.slack:
        return OUTSIDE_COLLAR
    if order.units > limits.max_order_units * order.slack:
        return OVER_ORDER_UNITS
    if order.units * order.unit > limits.max_order_notional * order.slack:
        return OVER_ORDER_NOTIONAL
    if order.position > limits.max_position_units * order.slack:
        return OVER_POSITION_UNITS
    value = order.position * order.unit
    if value > limits.max_position_notional * order.slack:
        return OVER_POSITION_NOTIONAL
    if math.isfinite(limits.max_weight) and value > limits.max_weight * order.equity * order.slack:
        return OVER_WEIGHT
    if order.gross > limits.max_gross * order.slack:
        return OVER_GROSS
    if order.net > limits.max_net * order.slack:
        return OVER_NET
    if math.isfinite(limits.leverage) and order.gross > limits.leverage * order.equity * order.slack:
        return OVER_LEVERAGE
    lost = order.day_equity - order.equity
    if math.isfinite(limits.max_daily_loss) and lost > limits.max_daily_loss * order.day_equity * order.slack:
        return OVER_DAILY_LOSS
    lost = order.peak - order.equity
    if math.isfinite(limits.max_drawdown) and lost > limits.max_drawdown * order.peak * order.slack:
        return OVER_DRAWDOWN
    return WITHIN_LIMITS


def is_exit(held: Number, change: Number) -> bool:
    """Whether the change makes a position smaller, and does not turn it. No limit holds an exit back."""
    after = held + change
    return held * after >= 0 and abs(after) <= abs(held)


@dataclass(frozen=True)
class WalletLimits:
    """What a wallet's owner allows.

    Args:
        restricted: instruments (`VENUE:SYMBOL`) whose positions may not grow.
        open_market_only: whether positions grow only while the exchange's session is on.
        chosen_only: whether positions grow only in instruments chosen for the day, where somebody has chosen.
        written: as in Wallets.json, exact numbers as text.
    """

    numbers: Limits[Decimal] = field(default_factory=cash_account)
    restricted: tuple[str, ...] = ()
    open_market_only: bool = False
    chosen_only: bool = False
    written: Mapping[str, Any] = field(default_factory=dict)

    def in_force(self, limit: Limit) -> Any:
        """What is in force, in the unit of the table: numbers as text; None where there is no limit."""
        if limit.field is None:
            known = {
                "long_only": True,
                "restricted": list(self.restricted),
                "open_market_only": self.open_market_only,
                "chosen_only": self.chosen_only,
            }
            return known[limit.name]
        value: Decimal = getattr(self.numbers, limit.field)
        return plain(value * (HUNDRED if limit.unit == "percent" else 1)) if value.is_finite() else None


def parse_limits(written: Mapping[str, Any]) -> WalletLimits:
    """The limits that were written under their names in the table.

    Raises:
        KeyError: for a name that is not in the table.
        decimal.InvalidOperation: for a value that is no number where one is needed.
    """
    found: dict[str, Decimal] = {}
    text: dict[str, Any] = {}
    for name, value in written.items():
        limit = BY_NAME[name]
        text[name] = value
        if limit.field is not None:
            text[name] = plain(Decimal(str(value)))
            found[limit.field] = Decimal(text[name]) / (HUNDRED if limit.unit == "percent" else 1)
    return WalletLimits(
        replace(cash_account(), **found),
        restricted=tuple(written.get("restricted", ())),
        open_market_only=bool(written.get("open_market_only", False)),
        chosen_only=bool(written.get("chosen_only", False)),
        written=text,
    )


def read_limit(text: str) -> tuple[str, Any]:
    """A limit as people type it: `max-order-notional=1000`, `restricted=AAPL+IBM`; - and _ are the same in names.

    Raises:
        ValueError: one line on what is wrong with it.
    """
    name, equals, value = text.strip().partition("=")
    limit = BY_NAME.get(name.strip().replace("-", "_"))
    if limit is None or not equals or limit.outcome is None or limit.name == "long_only":
        names = ", ".join(one.name.replace("_", "-") for one in LIMITS if one.outcome and one.name != "long_only")
        raise ValueError(f"expected NAME=VALUE with one of {names}, found {text!r}")
    if limit.field is None:
        return limit.name, tuple(value.split("+"))
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 < number <= MOST) or (limit.whole and number % 1):
        raise ValueError(f"{limit.name}: expected a {'whole ' if limit.whole else ''}number above 0, found {value!r}")
    return limit.name, plain(number)


def as_floats(limits: Limits[Decimal]) -> dict[str, float]:
    """The numbers by field, for the engine."""
    return {name: float(value) for name, value in vars(limits).items()}
