"""A made market in a fresh database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.resources.dbt_project import database_name
from tests.conftest import cloned
from tests.predictor.made import Market, make_market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


@pytest.fixture
def market(database_url: str, adbc: "Connection") -> Market:
    """Two listings of 420 days, with the euro's rates."""
    return make_market(database_url, adbc)


@contextmanager
def new_market(template: str) -> Iterator[Market]:
    """The same in a database of its own, for a module that works on it and has its tests clone it."""
    with cloned(template) as url:
        with adbc_connect(url) as adbc:
            made = make_market(url, adbc)
        yield made


@contextmanager
def copy_of(market: Market) -> Iterator[Market]:
    """A copy, which a test may change; nobody may be connected to the market."""
    with cloned(database_name(market.url)) as url:
        yield Market(url)
