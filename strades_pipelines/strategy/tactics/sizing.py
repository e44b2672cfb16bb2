"""Sizing: from the direction of a strategy's target to units, which are held until the direction changes."""

import math

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.tactics import Tactic, direction_of
from strades_pipelines.strategy.tactics.round_trips import RoundTrips


class Sizing(Tactic):
    """What sizing rules share: the strategy's target counts by its sign alone, `amount` says how many units that is.

    While an amount is not known yet (no price, too short a history) or comes to nothing, the target is flat and asked
    for again at the next event.

    Args:
        whole: only whole units, rounded down.
    """

    def __init__(self, size: int, whole: bool = False) -> None:
        self.whole = whole
        self.direction = [0] * size
        self.units = [0.0] * size

    def amount(self, i: int, account: Account) -> float:
        """How many units to hold of instrument `i`, long or short; 0 or NaN when that is not known."""
        return 0.0

    def aim(self, i: int, target: float, account: Account) -> float:
        """The units in the target's direction."""
        direction = direction_of(target)
        if direction != self.direction[i]:
            self.direction[i] = direction
            self.units[i] = 0.0
            if direction != 0:
                amount = self.amount(i, account)
                if self.whole and math.isfinite(amount):
                    # What is whole but for rounding is whole.
                    amount = float(math.floor(amount + 1e-9))
                if amount > 0.0:
                    self.units[i] = direction * amount
                else:
                    self.direction[i] = 0
        return self.units[i]

    def on_split(self, i: int, ratio: float) -> None:
        """As many more units."""
        self.units[i] *= ratio

    def of_equity(self, i: int, percent: float, account: Account) -> float:
        """The units of instrument `i` that are so many percent of equity at its last price."""
        value = abs(account.price[i] * account.unit[i])
        return percent / 100.0 * account.equity / value if value > 0.0 else 0.0


class FixedUnits(Sizing):
    """So many units. Args: units: above 0."""

    def __init__(self, size: int, units: float) -> None:
        super().__init__(size)
        self.fixed = float(units)

    def amount(self, i: int, account: Account) -> float:
        """The units given."""
        return self.fixed


class PercentOfEquity(Sizing):
    """A part of the equity at the moment the direction changes. Args: percent: 99.75 is nearly all of it."""

    def __init__(self, size: int, percent: float, whole: bool = False) -> None:
        super().__init__(size, whole)
        self.percent = float(percent)

    def amount(self, i: int, account: Account) -> float:
        """The units of that part at the last price."""
        return self.of_equity(i, self.percent, account)


class VolatilityTarget(Sizing):
    """As much as makes the position as volatile as asked for.

    The volatility of an instrument is the sample standard deviation of the logarithms of its last `lookback` returns
    from close to close, times the root of `periods`, the bars of a year.

    Args:
        target: volatility of the position a year, in percent of equity.
        lookback: how many returns; the target is flat before there are as many.
        periods: bars in a year.
        cap: the most a position may be, in percent of equity.
    """

    def __init__(
        self,
        size: int,
        target: float,
        lookback: int = 20,
        periods: float = 252.0,
        cap: float = 100.0,
        whole: bool = False,
    ) -> None:
        super().__init__(size, whole)
        self.target, self.periods, self.cap = float(target), float(periods), float(cap)
        self.lookback = lookback
        self.returns = [0.0] * (size * lookback)
        self.seen = [0] * size
        self.last = [0.0] * size

    def on_bar(self, bar: Bar, account: Account) -> None:
        """Take in a return; after a price of 0 or less the window starts again."""
        i = bar.i
        if bar.close <= 0.0 or self.last[i] <= 0.0:
            self.seen[i] = 0
        else:
            self.returns[i * self.lookback + self.seen[i] % self.lookback] = math.log(bar.close / self.last[i])
            self.seen[i] += 1
        self.last[i] = bar.close

    def volatility(self, i: int) -> float:
        """The volatility of instrument `i` a year; NaN before there are enough returns."""
        if self.seen[i] < self.lookback:
            return math.nan
        mean = 0.0
        for k in range(self.lookback):
            mean += self.returns[i * self.lookback + k] / self.lookback
        squares = 0.0
        for k in range(self.lookback):
            off = self.returns[i * self.lookback + k] - mean
            squares += off * off
        return math.sqrt(squares / (self.lookback - 1) * self.periods)

    def amount(self, i: int, account: Account) -> float:
        """The units that are as volatile as asked for."""
        volatility = self.volatility(i)
        if math.isnan(volatility):
            return 0.0
        percent = self.cap
        # As a product: a volatility of 0 divides nothing.
        if volatility * self.cap > self.target:
            percent = self.target / volatility
        return self.of_equity(i, percent, account)

    def on_split(self, i: int, ratio: float) -> None:
        """The last close is of smaller units."""
        self.units[i] *= ratio
        self.last[i] /= ratio


class KellyFraction(Sizing):
    """A part of what Kelly's criterion says of the round trips so far (J. L. Kelly, 1956).

    With the share p of trips that gained, and b the mean gain over the mean loss, it is p - (1 - p) / b of the equity;
    p when nothing was lost yet. At 0 or below nothing is held any more.

    Args:
        fraction: of the criterion; 0.5 is half Kelly. trades: round trips of all instruments before the criterion
        counts; until then `start` percent of equity are held. cap: the most a position may be, in percent of equity.
    """

    def __init__(
        self,
        size: int,
        fraction: float,
        trades: int = 20,
        start: float = 10.0,
        cap: float = 100.0,
        whole: bool = False,
    ) -> None:
        super().__init__(size, whole)
        self.fraction, self.start, self.cap = float(fraction), float(start), float(cap)
        self.trades = trades
        self.trips = RoundTrips(size)
        self.wins = 0
        self.losses = 0
        self.won = 0.0
        self.lost = 0.0

    def on_fill(self, fill: Fill, account: Account) -> None:
        """Count a round trip that ends."""
        if self.trips.add(fill, account):
            if self.trips.last > 0.0:
                self.wins += 1
                self.won += self.trips.last
            else:
                self.losses += 1
                self.lost -= self.trips.last

    def criterion(self) -> float:
        """The part of equity that Kelly's criterion asks for."""
        if self.wins == 0:
            return 0.0
        share = self.wins / (self.wins + self.losses)
        if self.lost == 0.0:
            return share
        return share - (1.0 - share) / ((self.won / self.wins) / (self.lost / self.losses))

    def amount(self, i: int, account: Account) -> float:
        """The units of that part at the last price."""
        percent = self.start
        if self.wins + self.losses >= self.trades:
            percent = min(100.0 * self.fraction * self.criterion(), self.cap)
        return self.of_equity(i, percent, account)

    def on_split(self, i: int, ratio: float) -> None:
        """As many more units, and of smaller ones."""
        self.units[i] *= ratio
        self.trips.split(i, ratio)
