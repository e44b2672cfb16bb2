"""John Ehlers' cycles, from Rocket Science for Traders (2001). One value in; a NaN is passed over.

Prices are smoothed by a weighted mean of 4 and filtered by the Hilbert transform of 7; the period so measured sets the
gain of the filters at the next value. Equal to TA-Lib from its first value on: filters begin with zeros, at the 13th
value, for `SineWave` at the 38th.
"""

import math

from strades_pipelines.strategy.indicators.parameters import between

DEGREES = 180.0 / math.pi
LONGEST = 50


class HilbertFilter:
    """Ehlers' Hilbert transform of 7 values: 0.0962 x + 0.5769 x2 - 0.5769 x4 - 0.0962 x6, xn of n values ago."""

    def __init__(self) -> None:
        self.index = 0
        self.ring = [0.0] * 6

    def update(self, value: float, gain: float) -> float:
        """Take in the next value and return what the filter makes of it, times `gain`."""
        i = self.index
        ring = self.ring
        sixth = ring[i]
        fourth = ring[i + 2 if i < 4 else i - 4]
        second = ring[i + 4 if i < 2 else i - 2]
        ring[i] = value
        self.index = i + 1 if i < 5 else 0
        return (-(0.0962 * sixth) + 0.0962 * value - 0.5769 * fourth + 0.5769 * second) * gain


class Hilbert:
    """The analytic signal of a price, `in_phase` and `quadrature`, and the period of its cycle, 6 to 50 values."""

    def __init__(self) -> None:
        self.recent = [0.0] * 4
        self.place = 0
        self.count = 0
        self.sum = 0.0
        self.weighted = 0.0
        self.detrender = HilbertFilter()
        self.quadrature_filter = HilbertFilter()
        self.in_phase_lead = HilbertFilter()
        self.quadrature_lead = HilbertFilter()
        self.index = 0
        self.detrended = [0.0] * 3
        self.smooth = math.nan
        self.in_phase = 0.0
        self.quadrature = 0.0
        self.real = 0.0
        self.imaginary = 0.0
        self.in_phase_sum = 0.0
        self.quadrature_sum = 0.0
        self.period = 0.0

    def update(self, value: float, skipped: int) -> bool:
        """Take in the next value, after `skipped` that are smoothed only; returns whether there is a signal."""
        self._smooth(value)
        if self.count < skipped:
            self.count += 1
            return False
        gain = 0.075 * self.period + 0.54
        detrended = self.detrender.update(self.smooth, gain)
        self.quadrature = self.quadrature_filter.update(detrended, gain)
        self.in_phase = self.detrended[self.index]
        self.detrended[self.index] = detrended
        self.index = self.index + 1 if self.index < 2 else 0
        lead = self.in_phase_lead.update(self.in_phase, gain)
        quadrature_lead = self.quadrature_lead.update(self.quadrature, gain)
        self._turn(self.in_phase - quadrature_lead, self.quadrature + lead)
        return True

    def _smooth(self, value: float) -> None:
        """The weighted mean of 4 values, by running sums: where prices stand still the phase is their rounding."""
        oldest = self.recent[self.place]
        self.recent[self.place] = value
        self.place = self.place + 1 if self.place < 3 else 0
        if self.count < 3:
            self.sum += value
            self.weighted += value * (self.count + 1)
            return
        self.sum += value
        self.sum -= oldest
        self.weighted += value * 4.0
        self.smooth = self.weighted * 0.1
        self.weighted -= self.sum

    def _turn(self, in_phase: float, quadrature: float) -> None:
        """By how much the phase turned since the last value: the period."""
        before_i = self.in_phase_sum
        before_q = self.quadrature_sum
        self.in_phase_sum = 0.2 * in_phase + 0.8 * before_i
        self.quadrature_sum = 0.2 * quadrature + 0.8 * before_q
        self.real = 0.2 * (self.in_phase_sum * before_i + self.quadrature_sum * before_q) + 0.8 * self.real
        self.imaginary = 0.2 * (self.in_phase_sum * before_q - self.quadrature_sum * before_i) + 0.8 * self.imaginary
        before = self.period
        period = before
        if self.imaginary != 0.0 and self.real != 0.0:
            period = 360.0 / (math.atan(self.imaginary / self.real) * DEGREES)
        period = max(0.67 * before, min(1.5 * before, period))
        self.period = 0.2 * max(6.0, min(50.0, period)) + 0.8 * before


class Mama:
    """Ehlers' MESA adaptive moving average, and `fama`, the following one.

    m += (x - m) a, a = `fast` / the degrees by which the phase fell since the last value, in [`slow`, `fast`]; fama
    follows by a / 2. MESA and Trading Market Cycles (2002). Both begin with 0 at the 13th value, as in TA-Lib.
    """

    def __init__(self, fast: float = 0.5, slow: float = 0.05) -> None:
        self.fast = between("fast limit of Mama", fast, 0.01, 0.99)
        self.slow = between("slow limit of Mama", slow, 0.01, 0.99)
        self.hilbert = Hilbert()
        self.left = 33
        self.phase = 0.0
        self.average = 0.0
        self.following = 0.0
        self.value = math.nan
        self.fama = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were 33 values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        if self.left > 0:
            self.left -= 1
        if self.hilbert.update(value, 12):
            self._follow(value)
            if self.left == 0:
                self.value = self.average
                self.fama = self.following
        return self.value

    def _follow(self, value: float) -> None:
        """Move both averages by the change of the phase."""
        signal = self.hilbert
        phase = math.atan(signal.quadrature / signal.in_phase) * DEGREES if signal.in_phase != 0.0 else 0.0
        step = self.phase - phase
        self.phase = phase
        share = max(self.fast / step, self.slow) if step > 1.0 else self.fast
        self.average = share * value + (1.0 - share) * self.average
        self.following = 0.5 * share * self.average + (1.0 - 0.5 * share) * self.following


class DominantCycle:
    """The dominant cycle of a price: `value` is its period in values, smoothed (TA-Lib's HT_DCPERIOD).

    `in_phase` and `quadrature` are the parts of its signal (HT_PHASOR).
    """

    def __init__(self) -> None:
        self.hilbert = Hilbert()
        self.left = 33
        self.period = 0.0
        self.value = math.nan
        self.in_phase = math.nan
        self.quadrature = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were 33 values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the period."""
        if value != value:
            return self.value
        if self.left > 0:
            self.left -= 1
        if self.hilbert.update(value, 12):
            self.period = 0.33 * self.hilbert.period + 0.67 * self.period
            if self.left == 0:
                self.value = self.period
                self.in_phase = self.hilbert.in_phase
                self.quadrature = self.hilbert.quadrature
        return self.value


class SineWave:
    """Where in its cycle a price is: `value` is the sine of the phase, `lead` that of 45 degrees more (HT_SINE).

    `phase` in degrees, -45 to 315 (HT_DCPHASE); `trendline`, the mean over a period, smoothed over four (HT_TRENDLINE);
    `trending`, whether prices trend rather than cycle (HT_TRENDMODE). O(period) a value.
    """

    def __init__(self) -> None:
        self.hilbert = Hilbert()
        self.left = 64
        self.index = 0
        self.smooth = [0.0] * LONGEST
        self.prices = [0.0] * LONGEST
        self.period = 0.0
        self.angle = 0.0
        self.before = 0.0
        self.lead_before = 0.0
        self.wave = 0.0
        self.lead_wave = 0.0
        self.means = [0.0] * 3
        self.trend = 0.0
        self.since_crossing = 0
        self.trending = False
        self.value = math.nan
        self.lead = math.nan
        self.phase = math.nan
        self.trendline = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were 64 values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the sine of the phase."""
        if value != value:
            return self.value
        if self.left > 0:
            self.left -= 1
        self.prices[self.index] = value
        if self.hilbert.update(value, 37):
            self.smooth[self.index] = self.hilbert.smooth
            self.period = 0.33 * self.hilbert.period + 0.67 * self.period
            self._move()
            if self.left == 0:
                self.value = self.wave
                self.lead = self.lead_wave
                self.phase = self.angle
                self.trendline = self.trend
        self.index = self.index + 1 if self.index + 1 < LONGEST else 0
        return self.value

    def _move(self) -> None:
        """All that follows from the period of this value."""
        angle_before = self.angle
        self._measure(int(self.period + 0.5))
        self.before = self.wave
        self.lead_before = self.lead_wave
        self.wave = math.sin(self.angle / DEGREES)
        self.lead_wave = math.sin((self.angle + 45.0) / DEGREES)
        mean = self.trend
        self.trend = (4.0 * mean + 3.0 * self.means[0] + 2.0 * self.means[1] + self.means[2]) / 10.0
        self.means[2] = self.means[1]
        self.means[1] = self.means[0]
        self.means[0] = mean
        trending = self._is_trend(self.angle - angle_before)
        if self.left == 0:
            self.trending = trending

    def _measure(self, window: int) -> None:
        """The phase of the smoothed prices, and in `trend` the mean of the prices, over `window` values."""
        real = 0.0
        imaginary = 0.0
        total = 0.0
        place = self.index
        for k in range(window):
            turn = k * (2.0 * math.pi) / window
            real += math.sin(turn) * self.smooth[place]
            imaginary += math.cos(turn) * self.smooth[place]
            total += self.prices[place]
            place = place - 1 if place > 0 else LONGEST - 1
        self.trend = total / window if window > 0 else 0.0
        if imaginary != 0.0:
            self.angle = math.atan(real / imaginary) * DEGREES
        elif real != 0.0:
            self.angle += 90.0 if real > 0.0 else -90.0
        # The smoothing lags by a value.
        self.angle += 90.0 + 360.0 / self.period
        if imaginary < 0.0:
            self.angle += 180.0
        if self.angle > 315.0:
            self.angle -= 360.0

    def _is_trend(self, turned: float) -> bool:
        """Not soon after the sines cross, nor while the phase turns as a cycle's; far from the trendline always."""
        crossed = self.wave > self.lead_wave and self.before <= self.lead_before
        if crossed or (self.wave < self.lead_wave and self.before >= self.lead_before):
            self.since_crossing = 0
        self.since_crossing += 1
        turn = 360.0 / self.period
        cycling = self.since_crossing == 1 or self.since_crossing < 0.5 * self.period
        cycling = cycling or 0.67 * turn < turned < 1.5 * turn
        far = self.trend != 0.0 and abs((self.hilbert.smooth - self.trend) / self.trend) >= 0.015
        return far or not cycling
