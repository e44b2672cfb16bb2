"""Charts as SVG text: each element is drawn where its value belongs."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.svg import HEIGHT, WIDTH, Candle, Marker, candle_chart, curve_chart, sparkline

START = datetime(2024, 1, 2, tzinfo=UTC)
CANDLES = [Candle(START + timedelta(days=n), 10 + n, 12 + n, 9 + n, 11 + n) for n in range(4)]
PRICES = st.floats(min_value=1e-6, max_value=1e9)


def heights(chart: str, pattern: str) -> list[float]:
    """The numbers that a pattern finds."""
    return [float(found) for found in re.findall(pattern, chart)]


def test_a_higher_value_stands_higher() -> None:
    chart = sparkline([1.0, 3.0, 2.0], [1.0, 1.0, 1.0], title="a")
    points = re.findall(r'class="account" points="([^"]*)"', chart)[0].split()
    ys = [float(point.split(",")[1]) for point in points]
    assert ys[1] < ys[2] < ys[0]


def test_one_value_makes_no_curve() -> None:
    assert sparkline([1.0], [1.0], title="a") == ""
    assert curve_chart([START], [1.0], [1.0], currency="USD", title="a") == ""
    assert candle_chart([], [], currency="USD", title="a") == ""


def test_a_fill_stands_at_its_bar_and_one_before_all_bars_is_left_out() -> None:
    markers = [
        Marker(START + timedelta(days=1, hours=3), "buy", "paper: 2 @ 11", 11.0),
        Marker(START - timedelta(days=1), "sell", "before", 9.0),
    ]
    chart = candle_chart(CANDLES, markers, currency="USD", title="a")
    assert "paper: 2 @ 11" in chart
    assert "before" not in chart
    bars = heights(chart, r'<line x1="([\d.]+)"')
    [mark] = heights(chart, r'mark buy" points="([\d.]+)')
    assert mark == bars[1]


def test_text_of_a_marker_is_escaped() -> None:
    chart = candle_chart(CANDLES, [Marker(START, "news", "</svg><script>")], currency="USD", title='"><script>')
    assert "<script>" not in chart


@given(closes=st.lists(PRICES, min_size=2, max_size=30))
def test_everything_is_inside_the_picture(closes: list[float]) -> None:
    candles = [Candle(START + timedelta(days=n), close, close, close, close) for n, close in enumerate(closes)]
    chart = candle_chart(candles, [], currency="USD", title="a")
    assert all(0 <= y <= HEIGHT for y in heights(chart, r' y1="([\d.-]+)"'))
    assert all(0 <= x <= WIDTH for x in heights(chart, r' x1="([\d.-]+)"'))


@pytest.mark.parametrize("flat", [0.0, 5.0])
def test_a_flat_line_is_drawn_too(flat: float) -> None:
    assert "account" in curve_chart([START, START], [flat] * 2, [flat] * 2, currency="USD", title="a")
