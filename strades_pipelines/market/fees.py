"""The fee of a fill: one function for the exact books, and the same in floats for the engine.

The classes are plain numbers, so that the engine can compile them: `of` gives the fee of a fill of `quantity` units at
`price` (of one unit, its contract's multiplier included), in the instrument's currency. `maker` says that the order
waited in the book. Fees are rounded to 8 decimals, as the exact books keep them.
"""

import math
from decimal import ROUND_HALF_EVEN, Decimal

from strades_pipelines.market.rounding import EXACT

FEE_UNIT = Decimal("0.00000001")


def percent_fee(quantity: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """`rate` of the notional (0.001 is 0.1 %), in the quote currency, to 8 decimals, half to even."""
    product = EXACT.multiply(EXACT.multiply(quantity, price), rate)
    return product.quantize(FEE_UNIT, rounding=ROUND_HALF_EVEN, context=EXACT)


def rounded(fee: float) -> float:
    """To 8 decimals, half to even; above 9 million, where a float cannot tell a half any more, as it is.

    What is within 0.0001 of a half of the last decimal counts as one: it is a half of the exact product, which a float
    has only nearly.
    """
    if abs(fee) > 9.0e6:
        return fee
    scaled = fee * 1e8
    whole = math.floor(scaled)
    part = scaled - whole
    if abs(part - 0.5) < 1e-4:
        whole += whole % 2
    elif part > 0.5:
        whole += 1
    return whole / 1e8


class Fee:
    """No fee; what the others are made from."""

    def of(self, quantity: float, price: float, maker: bool) -> float:
        """The fee of a fill."""
        return 0.0

    def of_part(self, quantity: float, price: float, maker: bool, done: float, worth: float, paid: float) -> float:
        """The fee of a fill of an order of which `done` units for `worth` were filled before, for a fee of `paid`."""
        return self.of(quantity, price, maker)

    def estimate(self, quantity: float, price: float) -> float:
        """What the fee of a fill would be, for the cash to set aside; changes nothing."""
        return self.of(quantity, price, False)


class PercentFee(Fee):
    """`rate` of the notional: 0.001 is 0.1 %."""

    def __init__(self, rate: float) -> None:
        self.rate = float(rate)

    def of(self, quantity: float, price: float, maker: bool) -> float:
        """The fee of a fill."""
        return rounded(quantity * price * self.rate)


class PerShareFee(Fee):
    """`rate` a unit, at least `minimum` and at most `maximum_rate` of the notional: of an order, not of each fill."""

    def __init__(self, rate: float, minimum: float = 0.0, maximum_rate: float = math.inf) -> None:
        self.rate, self.minimum, self.maximum_rate = float(rate), float(minimum), float(maximum_rate)

    def of(self, quantity: float, price: float, maker: bool) -> float:
        """The fee of a fill; the maximum wins over the minimum, as brokers have it."""
        fee = max(quantity * self.rate, self.minimum)
        return rounded(min(fee, quantity * price * self.maximum_rate))

    def of_part(self, quantity: float, price: float, maker: bool, done: float, worth: float, paid: float) -> float:
        """What the fill adds to the fee of its order."""
        fee = max((done + quantity) * self.rate, self.minimum)
        return max(rounded(min(fee, (worth + quantity * price) * self.maximum_rate)) - paid, 0.0)


class MakerTakerFee(Fee):
    """One rate of the notional for orders that waited, another for those that took; a maker's may be negative."""

    def __init__(self, maker: float, taker: float) -> None:
        self.maker, self.taker = float(maker), float(taker)

    def of(self, quantity: float, price: float, maker: bool) -> float:
        """The fee of a fill."""
        rate = self.maker if maker else self.taker
        return rounded(quantity * price * rate)


class TieredFee(Fee):
    """A rate of the notional that falls with what was traded before: `rates[k]` from a notional of `floors[k]` on."""

    def __init__(self, floors: list[float], rates: list[float]) -> None:
        if len(floors) != len(rates) or not floors or floors != sorted(floors) or floors[0] != 0:
            raise ValueError("tiers: expected rising floors from 0 on, and as many rates")
        self.floors, self.rates = [float(floor) for floor in floors], [float(rate) for rate in rates]
        self.traded = 0.0

    def of(self, quantity: float, price: float, maker: bool) -> float:
        """The fee of a fill, at the rate that held before it."""
        fee = self.estimate(quantity, price)
        self.traded += quantity * price
        return fee

    def estimate(self, quantity: float, price: float) -> float:
        """The fee at the rate that holds now."""
        rate = self.rates[0]
        for k in range(len(self.floors)):
            if self.traded >= self.floors[k]:
                rate = self.rates[k]
        return rounded(quantity * price * rate)


class PerContractFee(Fee):
    """A fixed amount a contract."""

    def __init__(self, amount: float) -> None:
        self.amount = float(amount)

    def of(self, quantity: float, price: float, maker: bool) -> float:
        """The fee of a fill."""
        return rounded(quantity * self.amount)
