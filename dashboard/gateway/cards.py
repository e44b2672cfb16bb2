"""Cards: a record whose id somebody pasted, as it is now, under the rights of who reads it.

Row security decides: what a reader may not see is not there for him, and says no more than an id that nothing has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.reading import read

# Ids of decisions, orders, fills (base32) and runs (UUID); results and days are named by their wallet.
PATTERN = re.compile(
    r"(?<![\w:/-])(?:[A-Z2-7]{26}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(?:wallet|day):[\w.@-]{0,79}[\w@](?:~\d{4}-\d\d-\d\d)?)(?![\w-])"
)
MOST_CARDS = 5  # of a message
CARDS = """
    SELECT 'decision' AS kind, d.decision_id AS identity, d.wallet, l.venue || ':' || l.symbol AS name,
        d.strategy AS what, d.previous_target AS before, d.target AS amount, '' AS currency, d.decided_at AS at
    FROM signals.decisions AS d INNER JOIN records.listings AS l ON l.listing_id = d.listing_id
    WHERE d.decision_id = ANY(%(ids)s)
    UNION ALL
    SELECT 'order', i.intent_id, i.wallet, l.venue || ':' || l.symbol, concat_ws(' ', i.side, o.state), NULL,
        i.quantity, '', i.intended_at
    FROM trading.intents AS i INNER JOIN records.listings AS l ON l.listing_id = i.listing_id
    LEFT JOIN trading.orders AS o ON o.intent_id = i.intent_id
    WHERE i.intent_id = ANY(%(ids)s)
    UNION ALL
    SELECT 'fill', f.fill_id, f.wallet, l.venue || ':' || l.symbol, f.side, f.price, f.quantity, f.currency, f.filled_at
    FROM trading.fills AS f INNER JOIN records.listings AS l ON l.listing_id = f.listing_id
    WHERE f.fill_id = ANY(%(ids)s)
    UNION ALL
    SELECT 'run', r.run_id, '', r.job, r.status, NULL, NULL, '', r.started_at
    FROM ops.runs AS r WHERE r.run_id = ANY(%(ids)s)
    UNION ALL
    SELECT 'wallet', 'wallet:' || w.wallet, w.wallet, w.wallet, w.strategy, NULL, e.equity::numeric, w.currency, e.time
    FROM trading.wallets AS w
    LEFT JOIN LATERAL (
        SELECT q.equity, q.time FROM results.equity AS q WHERE q.wallet = w.wallet ORDER BY q.time DESC LIMIT 1
    ) AS e ON true
    WHERE 'wallet:' || w.wallet = ANY(%(ids)s)
    UNION ALL
    SELECT 'day', 'day:' || w.wallet || '~' || w.session_date, w.wallet, w.wallet, w.session_date::text, w.opening,
        w.closing, v.currency, w.valued_at
    FROM results.wallet_sessions AS w INNER JOIN trading.wallets AS v ON v.wallet = w.wallet
    INNER JOIN unnest(%(wallets)s::text[], %(days)s::date[]) AS wanted (wallet, day)
        ON wanted.wallet = w.wallet AND wanted.day = w.session_date
"""


@dataclass(frozen=True)
class Card:
    """A record. Of a decision `before` and `amount` are targets, of a fill price and units, of a day its two values."""

    kind: str
    identity: str
    wallet: str
    name: str
    what: str
    before: Decimal | None
    amount: Decimal | None
    currency: str
    at: datetime | None


def ids_in(text: str) -> list[str]:
    """What of a text may be the id of a record, each once, at most MOST_CARDS."""
    return list(dict.fromkeys(PATTERN.findall(text)))[:MOST_CARDS]


def read_cards(ids: Iterable[str]) -> dict[str, Card]:
    """The records of these ids that the viewer may see, by id. One query, or none without an id."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    days = [one.removeprefix("day:").rpartition("~") for one in wanted if one.startswith("day:") and is_day(one)]
    parameters = {"wallets": [wallet for wallet, _tilde, _day in days], "days": [day for _wallet, _tilde, day in days]}
    return {card.identity: card for card in read(Card, CARDS, ids=wanted, **parameters)}


def is_day(identity: str) -> bool:
    """Whether the id of a day ends with a date that there is."""
    try:
        datetime.strptime(identity.rpartition("~")[2], "%Y-%m-%d")
    except ValueError:
        return False
    return True
