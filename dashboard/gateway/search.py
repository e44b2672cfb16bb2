"""What has a name or an id: an exact id first, then names that begin with the text, then names that have it inside."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.gateway.reading import read
from strades_pipelines.datamanager.sources import Website

MOST_EACH, LARGEST_FETCH_ID = 20, 2**63 - 1
# By the keys of each table: nothing is read through for a text that is no id.
IDS = """
    SELECT 'decision' AS kind, d.decision_id AS identity FROM signals.decisions AS d WHERE d.decision_id = %(text)s
    UNION ALL
    SELECT 'order', i.intent_id FROM trading.intents AS i WHERE i.intent_id = %(text)s
    UNION ALL
    SELECT 'fill', f.fill_id FROM trading.fills AS f WHERE f.fill_id = %(text)s
    UNION ALL
    SELECT 'prediction', p.prediction_id FROM predictions.forecasts AS p WHERE p.prediction_id = %(text)s
    UNION ALL
    SELECT 'run', r.run_id FROM ops.runs AS r WHERE r.run_id = %(text)s
    UNION ALL
    SELECT 'fetch', f.fetch_id::text FROM rawsources.fetches AS f WHERE f.fetch_id = %(number)s
"""
NAMES = """
    (
        SELECT 'market' AS kind, l.listing_id::text AS identity, l.venue || ':' || l.symbol AS name
        FROM records.listings AS l WHERE strpos(lower(l.venue || ':' || l.symbol), lower(%(text)s)) > 0
        ORDER BY lower(l.symbol) = lower(%(text)s) DESC, starts_with(lower(l.symbol), lower(%(text)s)) DESC, l.symbol
        LIMIT %(most)s
    )
    UNION ALL
    (
        SELECT 'wallet', w.wallet, w.wallet || ' · ' || w.strategy || ' · ' || w.mode FROM trading.wallets AS w
        WHERE strpos(lower(w.wallet), lower(%(text)s)) > 0 OR strpos(lower(w.strategy), lower(%(text)s)) > 0
        ORDER BY w.mode = 'replay', w.wallet LIMIT %(most)s
    )
"""


@dataclass(frozen=True)
class FoundId:
    """A thing whose id is exactly the text."""

    kind: str
    identity: str


@dataclass(frozen=True)
class FoundName:
    """A market or wallet whose name, or whose strategy's, has the text."""

    kind: str
    identity: str
    name: str


def find_ids(text: str) -> list[FoundId]:
    """What has this id. One query."""
    # `isdigit` takes the digits of other scripts, too.
    is_number = text.isascii() and text.isdigit() and int(text) <= LARGEST_FETCH_ID
    return read(FoundId, IDS, text=text, number=int(text) if is_number else None)


def find_names(text: str) -> list[FoundName]:
    """Markets and wallets, those that trade first. One query."""
    return read(FoundName, NAMES, text=text, most=MOST_EACH)


def find_sources(text: str, websites: Sequence[Website]) -> list[Website]:
    """Sources of Sources.json by name, title or category. No query."""
    wanted = text.lower()
    return [
        website
        for website in websites
        if any(wanted in words.lower() for words in (website.name, website.title, website.category))
    ][:MOST_EACH]
