"""Numbers as text: the separators of each language, a true minus, and nothing lost on the way."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.numbers import age_text, bytes_text, decimal_text, money_text, percent_text, plain_text, time_text
from dashboard.core.templatetags.frame import percent, quantity, ratio

NARROW, BLANK = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", "1234567.891", "1,234,567.89"),
        ("fr", "1234567.891", f"1{NARROW}234{NARROW}567,89"),
        ("en", "-0.5", "\u22120.50"),
        ("en", "0", "0.00"),
        ("en", "-0.001", "0.00"),  # a zero has no sign
        ("en", "2.345", "2.34"),  # half to even
    ],
)
def test_money_has_two_places(language: str, value: str, text: str) -> None:
    with translation.override(language):
        assert money_text(Decimal(value), "USD") == f"{text}{BLANK}USD"


@pytest.mark.parametrize("language", ["en", "fr"])
@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=8))
def test_all_digits_of_a_quantity_can_be_read_back(language: str, value: Decimal) -> None:
    with translation.override(language):
        text = plain_text(value)
    plain = text.replace(",", "" if language == "en" else ".").replace(NARROW, "").replace("\u2212", "-")
    assert Decimal(plain) == value


@given(value=st.decimals(allow_nan=False, allow_infinity=False))
def test_any_decimal_has_a_text(value: Decimal) -> None:
    assert decimal_text(value, 2)


def test_a_percentage_has_a_sign_and_an_arrow() -> None:
    assert percent_text(0.05873, signed=True, unit="pp") == f"+5.87{BLANK}pp"
    assert f"▼ \u22121.90{BLANK}%" in percent(-0.019)
    assert percent_text(float("nan")) is None
    assert percent_text(10**400) is None  # no double has it
    assert "not known" in ratio(10**400)
    assert 'title="not known"' in percent(float("inf"))
    assert 'title="no bar"' in quantity(None, reason="no bar")


def test_a_time_says_its_zone() -> None:
    at = datetime(2026, 8, 22, 14, 5, tzinfo=UTC)
    with timezone.override("UTC"):
        assert time_text(at) == "22 Aug 2026 14:05 UTC"
    with timezone.override("Europe/Paris"), translation.override("fr"):
        assert time_text(at) == "22 août 2026 16:05 CEST"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (240, "4 min"), (7200, "2 h"), (86_400, "24 h"), (172_800, "2 days")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    with translation.override("en"):
        assert age_text(timedelta(seconds=seconds)) == age_text(timedelta(seconds=-seconds)) == text


def test_sizes() -> None:
    assert [bytes_text(size) for size in (999, 1_500, 2_500_000)] == [
        f"999{BLANK}B",
        f"1.5{BLANK}kB",
        f"2.5{BLANK}MB",
    ]
