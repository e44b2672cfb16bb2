"""What an address of the 4D view asks for."""

from datetime import date

import pytest
from django.test import RequestFactory

from dashboard.relations4d.filters import ALL_PLANES, read_filters


@pytest.mark.parametrize(
    ("query", "planes", "times"),
    [
        ("planes=0", "", ("", "")), ("planes=abc", ALL_PLANES, ("", "")),
        ("planes=0&planes=3&planes=1", "13", ("", "")),
        ("t0=x&t1=2024-01-02", ALL_PLANES, ("", "")),
        ("t0=60&t1=2024-01-02T03:04", ALL_PLANES, ("1970-01-01T00:01:00", "2024-01-02T03:04:00")),
    ],
)  # fmt: skip
def test_an_address_is_read_as_it_was_meant(query: str, planes: str, times: tuple[str, str]) -> None:
    filters = read_filters(RequestFactory().get(f"/4d/?{query}"), date(2024, 1, 12), date(2024, 1, 12))
    assert (filters.planes, filters.times) == (planes, times)
