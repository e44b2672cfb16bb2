"""What a record of any kind is called, by its key: whether it is there, and under which name a list shows it."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.gateway.reading import read_one

LARGEST_LISTING_ID = 2**31 - 1
LONGEST_KEY = 2000  # bytes, so that an entry of a PostgreSQL index holds it
LABELS = {
    "listing": "SELECT l.venue || ':' || l.symbol AS label FROM records.listings AS l WHERE l.listing_id = %(number)s",
    "article": """
        SELECT a.title AS label FROM records.articles AS a
        WHERE a.source = %(source)s AND a.article_id = %(identity)s
    """,
    "filing": """
        SELECT concat_ws(' ', d.form, d.entity, d.title) AS label FROM records.documents AS d
        WHERE d.source = %(source)s AND d.document_id = %(identity)s
    """,
    "series": "SELECT o.series AS label FROM records.observations AS o WHERE o.series = %(key)s LIMIT 1",
    "decision": """
        SELECT d.wallet || ', ' || d.strategy || ', ' || l.venue || ':' || l.symbol AS label
        FROM signals.decisions AS d INNER JOIN records.listings AS l ON l.listing_id = d.listing_id
        WHERE d.decision_id = %(key)s
    """,
    "order": """
        SELECT concat_ws(' ', i.wallet || ',', i.side, i.quantity::text, l.venue || ':' || l.symbol) AS label
        FROM trading.intents AS i INNER JOIN records.listings AS l ON l.listing_id = i.listing_id
        WHERE i.intent_id = %(key)s
    """,
    "wallet": """
        SELECT w.wallet AS label FROM trading.wallets AS w WHERE w.wallet = %(key)s
        UNION ALL
        SELECT c.name FROM results.current_wallets AS c WHERE c.name = %(key)s
        LIMIT 1
    """,
}


ARTICLE = """
    SELECT a.source, a.article_id, a.url, a.title, a.summary, a."text", a.authors, a."language", a.categories,
        a.published_at
    FROM records.articles AS a WHERE a.source = %(source)s AND a.article_id = %(article_id)s
"""


@dataclass(frozen=True)
class ArticleRecord:
    """An article as it stands now, with all of its text."""

    source: str
    article_id: str
    url: str | None
    title: str
    summary: str | None
    text: str | None
    authors: list[str]
    language: str | None
    categories: list[str]
    published_at: datetime | None


@dataclass(frozen=True)
class _Label:
    label: str


def read_label(kind: str, key: str) -> str | None:
    """The name of a record, or None where there is none of that kind and key. One query.

    Args:
        key: of an article or filing `SOURCE/ID`; of the others their id or name.
    """
    if kind not in LABELS or "\0" in key or len(key.encode(errors="replace")) > LONGEST_KEY:
        return None
    is_number = key.isascii() and key.isdigit() and int(key) <= LARGEST_LISTING_ID
    if kind == "listing" and not (is_number and key == str(int(key))):
        return None  # one listing has one key
    source, _, identity = key.partition("/")
    number = int(key) if is_number else None
    found = read_one(_Label, LABELS[kind], key=key, number=number, source=source, identity=identity)
    return found.label if found else None


def read_article_record(source: str, article_id: str) -> ArticleRecord | None:
    """An article, or None. One query."""
    return read_one(ArticleRecord, ARTICLE, source=source, article_id=article_id)
