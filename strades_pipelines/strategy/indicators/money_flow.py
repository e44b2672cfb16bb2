"""What was traded, weighed by how prices moved: A/D, CMF, force, NVI, PVI, PVT. A bar with a NaN is passed over."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma
from strades_pipelines.strategy.indicators.parameters import whole

BEGIN = 1000.0


class AccumulationDistribution:
    """Marc Chaikin's accumulation/distribution line (TA-Lib's AD), from the first bar on.

    The running sum of volume * ((close - low) - (high - close)) / (high - low); a bar without range adds 0.
    """

    def __init__(self) -> None:
        self.value = math.nan
        self.total = 0.0

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take in the next bar and return the line."""
        if math.isnan(high + low + close + volume):
            return self.value
        if high > low:
            self.total += ((close - low) - (high - close)) / (high - low) * volume
        self.value = self.total
        return self.value


class ChaikinOscillator:
    """Chaikin's oscillator: EMA(`fast`) - EMA(`slow`) of the accumulation/distribution line (TA-Lib's ADOSC).

    Both averages begin with the line's first value; shown once there were as many bars as the longer length.
    """

    def __init__(self, fast: int = 3, slow: int = 10) -> None:
        self.fast = 2.0 / (whole("fast length of ChaikinOscillator", fast) + 1)
        self.slow = 2.0 / (whole("slow length of ChaikinOscillator", slow) + 1)
        self.left = max(fast, slow)
        self.line = AccumulationDistribution()
        self.fast_average = math.nan
        self.slow_average = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were as many bars as the longer length."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take in the next bar and return the oscillator."""
        if math.isnan(high + low + close + volume):
            return self.value
        line = self.line.update(high, low, close, volume)
        if math.isnan(self.fast_average):
            self.fast_average = line
            self.slow_average = line
        self.fast_average += (line - self.fast_average) * self.fast
        self.slow_average += (line - self.slow_average) * self.slow
        if self.left > 0:
            self.left -= 1
        if self.left == 0:
            self.value = self.fast_average - self.slow_average
        return self.value


class Cmf:
    """Chaikin money flow, -1 to 1: what the accumulation/distribution line gained over the volume, of `length` bars.

    A bar without range gains 0; without volume it is 0.
    """

    def __init__(self, length: int = 20) -> None:
        self.length = whole("length of Cmf", length)
        self.flow = Sma(length)
        self.volume = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take in the next bar and return the flow."""
        if math.isnan(high + low + close + volume):
            return self.value
        share = ((close - low) - (high - close)) / (high - low) if high > low else 0.0
        flow = self.flow.update(share * volume)
        volumes = self.volume.update(volume)
        self.value = flow / volumes if volumes != 0.0 else 0.0
        return self.value


class ForceIndex:
    """Alexander Elder's force index: the EMA of (close - previous close) * volume. Trading for a Living (1993)."""

    def __init__(self, length: int = 13) -> None:
        self.length = whole("length of ForceIndex", length)
        self.average = Ema(length)
        self.close = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, close: float, volume: float) -> float:
        """Take in the next bar and return the index."""
        if math.isnan(close + volume):
            return self.value
        self.value = self.average.update((close - self.close) * volume)
        self.close = close
        return self.value


class MarketFacilitation:
    """Bill Williams' market facilitation index: (high - low) / volume; 0 without volume. Trading Chaos (1995)."""

    def __init__(self) -> None:
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, volume: float) -> float:
        """Take in the next bar and return its index."""
        if math.isnan(high + low + volume):
            return self.value
        self.value = (high - low) / volume if volume != 0.0 else 0.0
        return self.value


class VolumeIndices:
    """Paul Dysart's volume indices: `negative` (NVI) and `positive` (PVI).

    Each changes by as many percent as the close, on bars of less volume or of more than the last. Both begin at 1000;
    `value` is the negative one. Norman Fosback, Stock Market Logic (1976).
    """

    def __init__(self) -> None:
        self.value = math.nan
        self.negative = math.nan
        self.positive = math.nan
        self.close = math.nan
        self.volume = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, close: float, volume: float) -> float:
        """Take in the next bar and return the negative index."""
        if math.isnan(close + volume):
            return self.value
        if math.isnan(self.close):
            self.negative = BEGIN
            self.positive = BEGIN
        elif self.close != 0.0:
            change = (close - self.close) / self.close
            if volume < self.volume:
                self.negative += self.negative * change
            elif volume > self.volume:
                self.positive += self.positive * change
        self.close = close
        self.volume = volume
        self.value = self.negative
        return self.value


class Pvt:
    """Price volume trend: the running sum of volume * (close - previous close) / previous close; 0 at the first bar."""

    def __init__(self) -> None:
        self.value = math.nan
        self.close = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, close: float, volume: float) -> float:
        """Take in the next bar and return the trend."""
        if math.isnan(close + volume):
            return self.value
        if math.isnan(self.value):
            self.value = 0.0
        elif self.close != 0.0:
            self.value += volume * ((close - self.close) / self.close)
        self.close = close
        return self.value


class RelativeVolume:
    """The volume over the mean of the `length` volumes before it (TA-Lib's RVOL); NaN where those are 0."""

    def __init__(self, length: int = 20) -> None:
        self.length = whole("length of RelativeVolume", length)
        self.average = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` volumes, not all of them 0."""
        return not math.isnan(self.value)

    def update(self, volume: float) -> float:
        """Take in the next volume and return its ratio."""
        if volume != volume:
            return self.value
        mean = self.average.value
        self.value = volume / mean if mean != 0.0 else math.nan
        self.average.update(volume)
        return self.value


class WilliamsAd:
    """Larry Williams' accumulation/distribution (TA-Lib's WAD), 0 at the first bar.

    The running sum of close - true low where the close rose, of close - true high where it fell; the true low is the
    lower of the low and the previous close, the true high likewise.
    """

    def __init__(self) -> None:
        self.value = math.nan
        self.close = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the sum."""
        if math.isnan(high + low + close):
            return self.value
        if math.isnan(self.value):
            self.value = 0.0
        elif close > self.close:
            self.value += close - min(low, self.close)
        elif close < self.close:
            self.value += close - max(high, self.close)
        self.close = close
        return self.value
