"""The benches of the brokers."""

from collections.abc import Iterator

import pytest

from strades_pipelines.database.connection import connect
from tests.brokerage.at_venue import AtGate
from tests.brokerage.brokers.benches import VENUES, Bench, PaperBench, VenueBench
from tests.brokerage.conftest import AddCandles, Connection


@pytest.fixture(params=["paper", *VENUES])
def bench(
    request: pytest.FixtureRequest, market: Connection, add_candles: AddCandles, database_url: str
) -> Iterator[Bench]:
    """Every broker."""
    if request.param == "paper":
        with connect(database_url) as theirs:
            yield PaperBench(market, add_candles, theirs)
    else:
        yield VenueBench(VENUES[request.param](market), market)


@pytest.fixture(params=list(VENUES))
def remote(request: pytest.FixtureRequest, market: Connection) -> VenueBench:
    """Every broker whose venue is another machine's."""
    return VenueBench(VENUES[request.param](market), market)


@pytest.fixture
def gate(market: Connection) -> VenueBench:
    """Gate.io, with its fee of 0.2 %."""
    return VenueBench(AtGate(market, with_fees=True), market)
