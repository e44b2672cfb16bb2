"""The limits of a wallet: as its owner writes them, and as they are in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.limits import ENDLESS, LIMITS, Limit, Limits

HUNDRED = Decimal(100)
MOST = Decimal(10) ** 15
BY_NAME = {limit.name: limit for limit in LIMITS}


def cash_account() -> Limits[Decimal]:
    """What a wallet has: cash alone, and no position larger than the equity."""
    return replace(Limits(*[ENDLESS] * len(fields(Limits))), max_weight=Decimal(1), leverage=Decimal(1))


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
    # What has no outcome is no limit of the engine of backtests.
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
