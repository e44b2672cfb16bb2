"""A made market in a fresh database."""

from typing import TYPE_CHECKING

import pytest

from tests.predictor.made import Market, make_market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


@pytest.fixture
def market(database_url: str, adbc: "Connection") -> Market:
    """Two listings of 420 days, with the euro's rates."""
    return make_market(database_url, adbc)
