"""Small things that tests are made of: listings, bars, orders, a session in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from strades_pipelines.market.books import Books
from strades_pipelines.market.events import Bar, Event, Fill, order_key
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import Order
from strades_pipelines.market.risk import Limits
from strades_pipelines.strategy.session import Session
from strades_pipelines.strategy.simulation import Journal, SimulatedBroker, WindowClock
from strades_pipelines.strategy.strategy import Strategy

START = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)


def btc(listing_id: int = 1, *, tick: str = "0.1") -> Listing:
    return Listing(listing_id, "gateio", f"COIN{listing_id}_USDT", "USDT", Decimal(tick), Decimal("0.00001"))


def make_bars(
    closes: Sequence[float], *, opens: Sequence[float] | None = None, i: int = 0, start: datetime = START
) -> list[Bar]:
    """One-minute bars of listing `i + 1`; a bar opens at the close before it unless `opens` says otherwise."""
    opens = opens if opens is not None else [*closes[:1], *closes[:-1]]
    edges = [start + MINUTE * n for n in range(len(closes) + 1)]
    return [
        Bar(i, i + 1, "1m", begin, end, open_, max(open_, close), min(open_, close), close, 1.0, end)
        for (begin, end), open_, close in zip(pairwise(edges), opens, closes, strict=True)
    ]


def make_order(side: str, quantity: str, *, decided_at: datetime = START, reserved: str = "0") -> Order:
    return Order("I", "D", 0, 1, side, Decimal(quantity), decided_at, Decimal(reserved))


def fill_event(
    side: str = "buy", quantity: str = "1", price: str = "10", *, fee: str = "0", known_at: datetime = START
) -> Fill:
    amounts = Decimal(quantity), Decimal(price), Decimal(fee)
    return Fill(0, 1, "F", "I", side, *amounts, "USDT", known_at, known_at)


@dataclass(frozen=True)
class ListFeed:
    listings: Sequence[Listing]
    happened: Sequence[Event]

    def events(self) -> Iterator[Event]:
        return iter(self.happened)


@dataclass(frozen=True)
class Ran:
    journal: Journal
    broker: SimulatedBroker

    @property
    def books(self) -> Books:
        return self.broker.books


def run(
    strategy: Strategy,
    events: Iterable[Event],
    *,
    cash: str = "10000",
    fee_rate: str = "0.001",
    opened_at: datetime = START,
    end: datetime = FOREVER,
    listings: Sequence[Listing] | None = None,
    wallet: str = "w",
) -> Ran:
    """Step a strategy through events, which are put in order first."""
    happened = sorted(events, key=order_key)
    listings = listings or [btc(i + 1) for i in range(max((event.listing_id for event in happened), default=1))]
    journal = Journal(wallet, opened_at, strategy)
    limits = Limits(opened_at, timedelta(minutes=15), Decimal(fee_rate))
    broker = SimulatedBroker(listings, Books(Decimal(cash)), limits)
    Session(ListFeed(listings, happened), WindowClock(end), broker, journal).run()
    return Ran(journal, broker)
