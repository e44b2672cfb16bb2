"""When an order that works at a venue is looked up again, so that look-ups leave the venue's limit to orders."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from strades_pipelines.brokerage.brokers.venue import LimitsRequests, VenueBroker, account_of
from strades_pipelines.brokerage.portfolio import Wallet

MINUTE = timedelta(minutes=1)
FIRST = timedelta(seconds=2)
SHARE = 2  # look-ups take one of so many requests that a venue allows


def lookup_interval(open_orders: int, per_minute: int | None, answered: int | None) -> timedelta:
    """From one look-up of an order to the next.

    Args:
        open_orders: of the account.
        per_minute: the requests that the venue takes; None for any number.
        answered: how often the order was looked up since its stream told of it; None where no stream listens.
            A look-up may be behind the stream, so the first ones follow each other soon.
    """
    least = timedelta(0) if per_minute is None else SHARE * open_orders * MINUTE / per_minute
    # Ten doublings are beyond a minute already; many more would overflow `timedelta`.
    return least if answered is None else max(least, min(MINUTE, FIRST * 2 ** max(0, min(answered, 10))))


class LookupSchedule:
    """When each working order was looked up last, in this process: one that begins looks all of them up.

    Args:
        is_listening: whether a stream tells of the orders at a broker in a mode.
    """

    def __init__(self, is_listening: Callable[[str, str], bool]) -> None:
        self._is_listening = is_listening
        # By account and wallet, of each order that works: how often it was looked up, and when last.
        self._asked: dict[str, dict[str, dict[str, tuple[int, datetime]]]] = {}

    def take_due(self, wallet: Wallet, venue: VenueBroker, intent_ids: Collection[str], now: datetime) -> set[str]:
        """Those of the wallet's working orders, all of which are given, that are to be looked up now, and count so."""
        wallets = self._asked.setdefault(account_of(wallet), {})
        before: dict[str, tuple[int, datetime]] = wallets.get(wallet.name, {})
        after: dict[str, tuple[int, datetime]] = {}
        others = sum(len(orders) for name, orders in wallets.items() if name != wallet.name)
        per_minute = venue.requests_per_minute if isinstance(venue, LimitsRequests) else None
        listens = self._is_listening(wallet.broker, wallet.mode)
        due = set()
        for intent_id in intent_ids:
            count, at = before.get(intent_id, (0, now))
            wait = lookup_interval(others + len(intent_ids), per_minute, count - 1 if listens else None)
            # `at <= now`: a clock that was put back makes an order due, instead of unseen until it has caught up.
            if count and at <= now < at + wait:
                after[intent_id] = count, at
            else:
                due.add(intent_id)
                after[intent_id] = count + 1, now
        # Only those that were given: an order that is over is forgotten here.
        wallets[wallet.name] = after
        return due

    def make_due(self, intent_ids: Collection[str]) -> None:
        """Have these orders looked up by the next pass; "" stands for any, since a stream has lost what it told."""
        for wallets in self._asked.values():
            for orders in wallets.values():
                for intent_id in set(orders) if "" in intent_ids else set(orders) & set(intent_ids):
                    del orders[intent_id]
