"""Two series together: correlation, beta; a line through a window: slope, end, forecast. O(1) a value, stable."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Sma
from strades_pipelines.strategy.indicators.parameters import whole
from strades_pipelines.strategy.indicators.statistics import Variance


class RollingCorrelation:
    """Pearson's correlation of the last `length` pairs, in [-1, 1]; 0 where one of the two does not move.

    TA-Lib's CORREL. Co-moments of the window's two parts are merged as in Chan, Golub and LeVeque (1983).
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of RollingCorrelation", length, 2)
        self.value = math.nan
        self.index = 0
        self.head_x = 0.0
        self.head_y = 0.0
        self.head_xx = 0.0
        self.head_yy = 0.0
        self.head_xy = 0.0
        self.mean_x = [math.nan] * length
        self.mean_y = [math.nan] * length
        self.xx = [math.nan] * length
        self.yy = [math.nan] * length
        self.xy = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, x: float, y: float) -> float:
        """Take in the next pair and return the correlation."""
        if x != x or y != y:
            return self.value
        i = self.index
        self.mean_x[i] = x
        self.mean_y[i] = y
        i += 1
        self._add(x, y, i)
        if i < self.length:
            self.index = i
            self._merge(i)
        else:
            self.value = correlation(self.head_xx, self.head_yy, self.head_xy)
            self._turn()
        return self.value

    def _add(self, x: float, y: float, count: int) -> None:
        """Make the pair the `count`-th of those gone through."""
        step_x = x - self.head_x
        step_y = y - self.head_y
        self.head_x += step_x / count
        self.head_y += step_y / count
        self.head_xx += step_x * (x - self.head_x)
        self.head_yy += step_y * (y - self.head_y)
        self.head_xy += step_x * (y - self.head_y)

    def _merge(self, i: int) -> None:
        """Join the `i` pairs of this lap with those of the last lap from place `i` on."""
        gap_x = self.head_x - self.mean_x[i]
        gap_y = self.head_y - self.mean_y[i]
        weight = i * (self.length - i) / self.length
        self.value = correlation(
            self.head_xx + self.xx[i] + gap_x * gap_x * weight,
            self.head_yy + self.yy[i] + gap_y * gap_y * weight,
            self.head_xy + self.xy[i] + gap_x * gap_y * weight,
        )

    def _turn(self) -> None:
        """For each place the moments from there to the end of the lap; begin a new one."""
        self._clear()
        for j in range(self.length - 1, -1, -1):
            self._add(self.mean_x[j], self.mean_y[j], self.length - j)
            self.mean_x[j] = self.head_x
            self.mean_y[j] = self.head_y
            self.xx[j] = self.head_xx
            self.yy[j] = self.head_yy
            self.xy[j] = self.head_xy
        self._clear()
        self.index = 0

    def _clear(self) -> None:
        self.head_x = 0.0
        self.head_y = 0.0
        self.head_xx = 0.0
        self.head_yy = 0.0
        self.head_xy = 0.0


def correlation(xx: float, yy: float, xy: float) -> float:
    """Of the sums of squares and of products; kept in [-1, 1] against rounding."""
    if math.isnan(xx + yy):
        return math.nan
    # Two roots, for the product of two sums may leave the range of a float.
    scale = math.sqrt(xx) * math.sqrt(yy)
    return max(-1.0, min(1.0, xy / scale)) if scale > 0.0 else 0.0


class LinearRegressionSlope:
    """Slope, a bar, of the least-squares line through the last `length` values (TA-Lib's LINEARREG_SLOPE).

    Sum of (k - mean of k)(x_k - mean of x) over k = 1 ... n, divided by n (n^2 - 1) / 12.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of LinearRegressionSlope", length, 2)
        self.value = math.nan
        self.divisor = length * (length * length - 1) / 12
        self.index = 0
        self.head_mean = 0.0
        self.head_product = 0.0
        self.means = [math.nan] * length
        self.products = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the slope."""
        if value != value:
            return self.value
        i = self.index
        self.means[i] = value
        step = value - self.head_mean
        # Merging two neighbouring runs of m and p bars adds (difference of their means) * m * p / 2.
        self.head_product += step * i / 2
        i += 1
        self.head_mean += step / i
        if i < self.length:
            self.index = i
            across = (self.head_mean - self.means[i]) * i * (self.length - i) / 2
            self.value = (self.head_product + self.products[i] + across) / self.divisor
        else:
            self.value = self.head_product / self.divisor
            self._turn()
        return self.value

    def _turn(self) -> None:
        """For each place the mean and the product from there to the end of the lap; begin a new one."""
        mean = 0.0
        product = 0.0
        for j in range(self.length - 1, -1, -1):
            after = self.length - 1 - j
            step = self.means[j] - mean
            product -= step * after / 2
            mean += step / (after + 1)
            self.means[j] = mean
            self.products[j] = product
        self.head_mean = 0.0
        self.head_product = 0.0
        self.index = 0


class LinearRegression:
    """The least-squares line through the last `length` values: `value` is its end, at the newest (TA-Lib's LINEARREG).

    `slope` a bar, `intercept` at the oldest value, `angle` = atan(slope) in degrees, `forecast` one bar ahead (TSF).
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of LinearRegression", length, 2)
        self.line = LinearRegressionSlope(length)
        self.mean = Sma(length)
        self.value = math.nan
        self.slope = math.nan
        self.intercept = math.nan
        self.angle = math.nan
        self.forecast = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the end of the line."""
        if value != value:
            return self.value
        self.slope = self.line.update(value)
        half = self.slope * (self.length - 1) / 2.0
        mean = self.mean.update(value)
        self.value = mean + half
        self.intercept = mean - half
        self.angle = math.atan(self.slope) * (180.0 / math.pi)
        self.forecast = self.value + self.slope
        return self.value


class ForecastOscillator:
    """Tushar Chande's forecast oscillator: 100 (x - what a line through the values before foretold) / x.

    The line is fitted to the `length` values before. 0 where the value is 0.
    """

    def __init__(self, length: int = 5) -> None:
        self.length = whole("length of ForecastOscillator", length, 2)
        self.line = LinearRegression(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return its distance in percent."""
        if value != value:
            return self.value
        forecast = self.line.forecast
        # Before there is a forecast it is NaN, of a 0 too.
        self.value = 100.0 * ((value - forecast) / value) if value != 0.0 else forecast - forecast
        self.line.update(value)
        return self.value


class Beta:
    """Slope of the changes of `y` against those of `x`, over the last `length` changes; 0 where x does not move.

    Changes are ratios less 1, 0 after a 0 (TA-Lib's BETA). A pair with a NaN is passed over.
    """

    def __init__(self, length: int = 5) -> None:
        self.length = whole("length of Beta", length, 2)
        self.correlation = RollingCorrelation(length)
        self.variance_x = Variance(length)
        self.variance_y = Variance(length)
        self.x = math.nan
        self.y = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` pairs."""
        return not math.isnan(self.value)

    def update(self, x: float, y: float) -> float:
        """Take in the next pair and return the slope."""
        if math.isnan(x + y):
            return self.value
        change_x = (x - self.x) / self.x if self.x != 0.0 else 0.0
        change_y = (y - self.y) / self.y if self.y != 0.0 else 0.0
        self.x = x
        self.y = y
        correlation = self.correlation.update(change_x, change_y)
        square_x = self.variance_x.update(change_x)
        square_y = self.variance_y.update(change_y)
        self.value = correlation * math.sqrt(square_y / square_x) if square_x != 0.0 else 0.0
        return self.value
