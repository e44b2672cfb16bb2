"""Charts as SVG, made on the server: they need no script and can be printed. Colours come from the style sheet."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, isfinite, log10

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard.core.numbers import clock_text, decimal_text, money_text, percent_text, plain_text, short_text
from strades_pipelines.market.rounding import exact

WIDTH, HEIGHT, LABELS = 720, 260, 74  # of a chart, and of the room for its labels, in units of its view box
VOLUME_HEIGHT = 70  # of the volumes below the candles
LINES = 4  # of the grid
SHORT = timedelta(days=2)  # below, the instants of a curve are told apart by the time of day


@dataclass(frozen=True)
class Candle:
    """A bar of a chart; a volume of None is not known and drawn as none."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None


@dataclass(frozen=True)
class Marker:
    """A sign on a chart: at the bar that was open then, with a text and a kind that the sheet colours."""

    at: datetime
    kind: str
    text: str
    price: float | None = None


def sparkline(values: Sequence[float], benchmark: Sequence[float], *, title: str) -> SafeString:
    """Two curves of the same scale without axes: the account, and dashed what it is compared with.

    Args:
        title: what a screen reader says; it names both results.
    """
    everything = [value for value in (*values, *benchmark) if isfinite(value)]
    if len(values) < 2 or not everything:
        return SafeString("")
    low, high = min(everything), max(everything)
    # A flat curve has no span to divide by.
    span = (high - low) or 1.0

    def points(series: Sequence[float]) -> str:
        step = 160 / (len(series) - 1)
        return " ".join(
            f"{n * step:.1f},{42 - 40 * (value - low) / span:.1f}" for n, value in enumerate(series) if isfinite(value)
        )

    return format_html(
        '<svg class="sparkline" viewBox="0 0 160 44" role="img" aria-label="{}" preserveAspectRatio="none">'
        '<polyline class="benchmark" points="{}"/><polyline class="account" points="{}"/></svg>',
        title,
        points(benchmark),
        points(values),
    )


def curve_chart(
    times: Sequence[datetime], values: Sequence[float], benchmark: Sequence[float], *, currency: str, title: str
) -> SafeString:
    """An account against buying and holding, with amounts and days; both curves end in their return."""
    return line_chart(times, {"benchmark": benchmark, "account": values}, title=f"{title} ({currency})")


def line_chart(
    times: Sequence[datetime], lines: Mapping[str, Sequence[float | None]], *, title: str, is_fraction: bool = False
) -> SafeString:
    """Curves of one scale over the same instants, which stand at equal distances; charts of the same instants line up.

    Args:
        lines: values by the class that the style sheet draws a curve with, as many as `times`; None breaks no curve.
        title: what a screen reader says.
        is_fraction: write the values at the side as percentages.
    """
    everything = [value for values in lines.values() for value in values if value is not None and isfinite(value)]
    if len(times) < 2 or not everything:
        return SafeString("")
    scale = _Scale(min(everything), max(everything))
    step = (WIDTH - LABELS) / (len(times) - 1)

    def points(values: Sequence[float | None]) -> str:
        known = ((n, value) for n, value in enumerate(values) if value is not None and isfinite(value))
        return " ".join(f"{n * step:.1f},{scale.y(value):.1f}" for n, value in known)

    grid = format_html_join(
        "",
        '<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/><text class="label" x="{}" y="{}">{}</text>',
        (
            (WIDTH - LABELS, f"{scale.y(value):.1f}", f"{scale.y(value):.1f}", WIDTH - LABELS + 6,
             f"{scale.y(value) + 4:.1f}",
             percent_text(value) if is_fraction else decimal_text(exact(value), scale.places))
            for value in scale.lines()
        ),
    )  # fmt: skip
    label = clock_text if times[-1] - times[0] < SHORT else "{:%Y-%m-%d}".format
    days = format_html_join(
        "",
        '<text class="label" text-anchor="{}" x="{:}" y="{}">{}</text>',
        (
            (anchor, f"{n * step:.1f}", HEIGHT - 4, label(times[n]))
            for n, anchor in ((0, "start"), (len(times) // 2, "middle"), (len(times) - 1, "end"))
        ),
    )
    curves = format_html_join(
        "", '<polyline class="{}" points="{}"/>', ((kind, points(values)) for kind, values in lines.items())
    )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        WIDTH, HEIGHT, title, grid, days, curves,
    )  # fmt: skip


def histogram(edges: Sequence[float], counts: Sequence[int], *, title: str, unit: str) -> SafeString:
    """How often returns fell into each bin, with the edges as percentages; a bin says its own in its title.

    Args:
        edges: fractions, ascending, one more than `counts`.
        unit: what is counted, such as `sessions`.
    """
    if not counts or edges[-1] <= edges[0]:
        return SafeString("")
    low, span, room, bottom = edges[0], edges[-1] - edges[0], HEIGHT - 44, HEIGHT - 24
    width, largest = WIDTH - LABELS, max(counts)
    bars = format_html_join(
        "",
        '<rect class="bin {}" x="{}" y="{}" width="{}" height="{}"><title>{} … {}: {} {}</title></rect>',
        (
            ("fall" if left + right < 0 else "rise", f"{width * (left - low) / span:.1f}",
             f"{bottom - room * count / largest:.1f}", f"{max(1.0, width * (right - left) / span - 1):.1f}",
             f"{room * count / largest:.1f}", percent_text(left), percent_text(right), count, unit)
            for left, right, count in zip(edges, edges[1:], counts, strict=False)
        ),
    )  # fmt: skip
    marks = [(edges[0], "start"), (edges[-1], "end")]
    if low + span / 5 < 0 < edges[-1] - span / 5:
        marks.insert(1, (0.0, "middle"))
    labels = format_html_join(
        "",
        '<text class="label" text-anchor="{}" x="{}" y="{}">{}</text>',
        ((anchor, f"{width * (edge - low) / span:.1f}", HEIGHT - 6, percent_text(edge)) for edge, anchor in marks),
    )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>{}{}<text class="label" x="{}" y="{}">{}</text></svg>',
        WIDTH, HEIGHT, title, width, bottom, bottom, bars, labels, width + 6, bottom - room + 10, largest,
    )  # fmt: skip


def candle_chart(
    candles: Sequence[Candle],
    markers: Sequence[Marker],
    *,
    currency: str,
    title: str,
    indicators: Mapping[str, Sequence[float | None]] | None = None,
) -> SafeString:
    """Bars with what happened at them, their volumes below. A marker before the first bar is left out.

    Args:
        indicators: lines over the candles, by the name that the sheet colours: a price for each candle, None where
            there is none yet.
    """
    if not candles:
        return SafeString("")
    lines = indicators or {}
    drawn = [value for line in lines.values() for value in line if value is not None and isfinite(value)]
    scale = _Scale(min([bar.low for bar in candles] + drawn), max([bar.high for bar in candles] + drawn))
    step = (WIDTH - LABELS) / len(candles)
    clocks = [clock_text(bar.open_time) for bar in candles]
    bars = _bodies(candles, clocks, scale, step, currency)
    grid = format_html_join(
        "",
        '<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/><text class="label" x="{}" y="{}">{}</text>',
        (
            (WIDTH - LABELS, f"{scale.y(value):.1f}", f"{scale.y(value):.1f}", WIDTH - LABELS + 6,
             f"{scale.y(value) + 4:.1f}", decimal_text(exact(value), scale.places))
            for value in scale.lines()
        ),
    )  # fmt: skip
    days = format_html_join(
        "",
        '<text class="label" text-anchor="{}" x="{}" y="{}">{}</text>',
        (
            (anchor, f"{(n + 0.5) * step:.1f}", HEIGHT - 4, clocks[n])
            for n, anchor in ((0, "start"), (len(candles) // 2, "middle"), (len(candles) - 1, "end"))
        ),
    )
    signs = [_sign(candles, marker, scale, step) for marker in markers]
    averages = format_html_join(
        "",
        '<polyline class="indicator {}" points="{}"/>',
        (
            (name, " ".join(f"{(n + 0.5) * step:.1f},{scale.y(value):.1f}" for n, value in enumerate(line)
                            if value is not None and isfinite(value)))
            for name, line in lines.items()
        ),
    )  # fmt: skip
    volumes = _volumes(candles, clocks, step)
    return format_html(
        '<svg class="chart candles" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}{}{}</svg>',
        WIDTH, HEIGHT + (VOLUME_HEIGHT if volumes else 0), title, grid, bars, averages, days,
        SafeString("".join(sign for sign in signs if sign)), volumes,
    )  # fmt: skip


def _bodies(
    candles: Sequence[Candle], clocks: Sequence[str], scale: "_Scale", step: float, currency: str
) -> SafeString:
    """The candles. Only their texts are escaped: format_html took a third of the time of a chart of 1,000 bars."""
    width = max(1.0, step * 0.6)
    drawn = []
    for n, bar in enumerate(candles):
        x, low, high = (n + 0.5) * step, scale.y(min(bar.open, bar.close)), scale.y(max(bar.open, bar.close))
        # At least one unit high: a bar that closed at its open is still seen.
        drawn.append(
            f'<g class="{"up" if bar.close >= bar.open else "down"}">'
            f"<title>{escape(_bar_text(bar, clocks[n], currency))}</title>"
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(bar.high):.1f}" y2="{scale.y(bar.low):.1f}"/>'
            f'<rect x="{x - width / 2:.1f}" y="{high:.1f}" width="{width:.1f}" height="{max(1.0, low - high):.1f}"/>'
            "</g>"
        )
    return SafeString("".join(drawn))


def _volumes(candles: Sequence[Candle], clocks: Sequence[str], step: float) -> SafeString:
    """The volumes of bars below them, with the largest as the height of all; nothing where none is known."""
    known = [(n, bar, bar.volume) for n, bar in enumerate(candles) if bar.volume is not None and isfinite(bar.volume)]
    largest = max((volume for _n, _bar, volume in known), default=0.0)
    if largest <= 0:
        return SafeString("")
    room, width, bottom = VOLUME_HEIGHT - 10, max(1.0, step * 0.6), HEIGHT + VOLUME_HEIGHT
    bars = "".join(
        f'<rect class="volume {"rise" if bar.close >= bar.open else "fall"}" x="{(n + 0.5) * step - width / 2:.1f}" '
        f'y="{bottom - room * volume / largest:.1f}" width="{width:.1f}" height="{room * volume / largest:.1f}">'
        f"<title>{escape(f'{clocks[n]}: {plain_text(exact(volume))}')}</title></rect>"
        for n, bar, volume in known
    )
    return format_html(
        '{}<text class="label" x="{}" y="{}">{}</text>',
        SafeString(bars), WIDTH - LABELS + 6, bottom - room + 8, short_text(largest),
    )  # fmt: skip


def _bar_text(bar: Candle, clock: str, currency: str) -> str:
    change = percent_text(bar.close / bar.open - 1, signed=True)
    return f"{clock}: {money_text(exact(bar.close), currency)} ({change})"


def _sign(candles: Sequence[Candle], marker: Marker, scale: "_Scale", step: float) -> SafeString | None:
    n = bisect_right([bar.open_time for bar in candles], marker.at) - 1
    if n < 0:
        return None
    x, bar = (n + 0.5) * step, candles[n]
    if marker.kind == "news":
        shape = f"{x:.1f},10 {x - 4:.1f},3 {x + 4:.1f},3"
    elif marker.kind == "sell":
        y = scale.y(marker.price or bar.high) - 3
        shape = f"{x:.1f},{y:.1f} {x - 5:.1f},{y - 9:.1f} {x + 5:.1f},{y - 9:.1f}"
    else:
        y = scale.y(marker.price or bar.low) + 3
        shape = f"{x:.1f},{y:.1f} {x - 5:.1f},{y + 9:.1f} {x + 5:.1f},{y + 9:.1f}"
    sign = '<polygon class="mark {}" points="{}"><title>{}</title></polygon>'
    return format_html(sign, marker.kind, shape, marker.text)


class _Scale:
    """From values to heights of the view box, with room above for signs and below for days."""

    def __init__(self, low: float, high: float) -> None:
        # A flat curve has no height to take the room from, and one at 0 no value either.
        room = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
        self._low, self._high = low - room, high + room
        raw = (self._high - self._low) / LINES
        magnitude = 10 ** floor(log10(raw))
        self._step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= raw)
        self.places = max(0, -floor(log10(self._step)))

    def y(self, value: float) -> float:
        """The height of a value."""
        return 14 + (HEIGHT - 44) * (self._high - value) / (self._high - self._low)

    def lines(self) -> list[float]:
        """The values of the lines of the grid: round ones."""
        first, last = ceil(self._low / self._step), floor(self._high / self._step)
        return [n * self._step for n in range(first, last + 1)]
