"""Articles as they were known at an instant, without changes that an editor made later."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.gateway.reading import Place, read

COLUMNS = """a.source, a.article_id, a.url, a.title, a.summary, a."language", a.published_at, a.knowledge_basis,
    a.fetch_id, a.recorded_at"""
KNOWN_FROM = "records.article_known_from(a.source, a.article_id, a.recorded_at, a.fetch_id, a.knowledge_time)"
IS_EDITED = """EXISTS (
    SELECT FROM records.article_revisions AS r WHERE r.source = a.source AND r.article_id = a.article_id
)"""
# Every version with the time from which it was known. The same bytes, parsed again, may have a later time than at
# first: then no version of that fetch was known before it.
VERSIONS = f"""
    SELECT v.*, max(v.own_known_at) OVER (PARTITION BY v.source, v.article_id, v.fetch_id) AS known_at
    FROM (
        SELECT {COLUMNS}, {KNOWN_FROM} AS own_known_at FROM records.articles AS a WHERE {{current}}
        UNION ALL
        SELECT {COLUMNS}, {KNOWN_FROM} FROM records.article_revisions AS a WHERE {{old}}
    ) AS v
"""
NOT_EXCLUDED = "NOT records.was_excluded('articles', ARRAY[{version}.source, {version}.article_id], %(as_of)s)"
FILTERS = """
    AND {known_at} >= coalesce(%(since)s::timestamptz, '-infinity') AND {known_at} <= %(as_of)s
    AND ({known_at}, a.source, a.article_id) < (
        coalesce(%(before_at)s::timestamptz, 'infinity'), %(before_source)s::text, %(before_id)s::text
    )
    AND (%(source)s = '' OR a.source = %(source)s)
    AND (%(words)s = '' OR strpos(lower(a.title), lower(%(words)s)) > 0)
"""
IS_ABOUT = """
    AND EXISTS (
        SELECT FROM cleaned.news AS n
        WHERE n.source = a.source AND n.article_id = a.article_id AND n.recorded_at = a.recorded_at
        AND n.listing_id = ANY(%(listing_ids)s)
    )
"""
NEWEST_FIRST = "ORDER BY known_at DESC, a.source DESC, a.article_id DESC LIMIT %(most)s"
# Nearly all articles have one version: those are read along the index of knowledge_time. The edited ones are few.
PAGE = f"""
    edited AS (
        SELECT DISTINCT ON (versions.source, versions.article_id) versions.*
        FROM ({VERSIONS.format(current=IS_EDITED, old="true")}) AS versions
        WHERE versions.known_at <= %(as_of)s AND {NOT_EXCLUDED.format(version="versions")}
        ORDER BY versions.source, versions.article_id, versions.known_at DESC, versions.recorded_at DESC
    ),
    page AS (
        SELECT a.* FROM (
            (
                SELECT {COLUMNS}, a.knowledge_time AS known_at FROM records.articles AS a
                WHERE NOT {IS_EDITED} {FILTERS.format(known_at="a.knowledge_time")} {{about}}
                {NEWEST_FIRST}
            )
            UNION ALL
            (
                SELECT {COLUMNS}, a.known_at FROM edited AS a
                WHERE true {FILTERS.format(known_at="a.known_at")} {{about}}
                {NEWEST_FIRST}
            )
        ) AS a {NEWEST_FIRST}
    )
"""
ONE = f"""
    page AS (
        SELECT {COLUMNS}, a.known_at FROM ({{versions}}) AS a
        WHERE a.known_at <= %(as_of)s AND {{excluded}} ORDER BY a.known_at DESC, a.recorded_at DESC LIMIT %(most)s
    )
""".format(
    excluded=NOT_EXCLUDED.format(version="a"),
    versions=VERSIONS.format(
        current="a.source = %(source)s AND a.article_id = %(article_id)s",
        old="a.source = %(source)s AND a.article_id = %(article_id)s",
    ),
)
# Another article is a duplicate where its title is the same, upper and lower case aside, and it became known within
# three days: longer ago, "Market wrap" is another day's.
DUPLICATES = """
    SELECT o.source, o.article_id, o.title, o.knowledge_time AS known_at
    FROM records.articles AS o
    WHERE lower(o.title) = lower(a.title) AND (o.source, o.article_id) <> (a.source, a.article_id)
    AND o.knowledge_time BETWEEN a.known_at - interval '3 days' AND a.known_at + interval '3 days'
    AND records.article_known_from(
        o.source, o.article_id, o.recorded_at, o.fetch_id, o.knowledge_time
    ) <= %(as_of)s
    ORDER BY o.knowledge_time, o.source, o.article_id LIMIT 20
"""
DUPLICATES_OF = f"""
    SELECT others.* FROM (
        SELECT %(title)s::text AS title, %(source)s::text AS source, %(article_id)s::text AS article_id,
            %(known_at)s::timestamptz AS known_at
    ) AS a CROSS JOIN LATERAL ({DUPLICATES}) AS others
"""
# Only of the version that is shown: an editor may have added a listing later.
LISTINGS = """
    SELECT array_agg(l.listing_id ORDER BY l.venue, l.symbol) AS listing_ids,
        array_agg(l.venue || ':' || l.symbol ORDER BY l.venue, l.symbol) AS listing_names
    FROM cleaned.news AS n INNER JOIN records.listings AS l ON l.listing_id = n.listing_id
    WHERE n.source = a.source AND n.article_id = a.article_id AND n.recorded_at = a.recorded_at
"""
NO_LISTINGS = "SELECT NULL::integer[] AS listing_ids, NULL::text[] AS listing_names"
ARTICLES = f"""
    WITH {{page}}
    SELECT a.source, a.article_id, a.url, a.title, a.summary, a."language", a.published_at, a.knowledge_basis,
        a.fetch_id, a.known_at, t.positive, t.negative, left(t.reader, 12) AS model,
        coalesce(about.listing_ids, '{{{{}}}}') AS listing_ids,
        coalesce(about.listing_names, '{{{{}}}}') AS listing_names,
        (SELECT count(*) FROM ({DUPLICATES}) AS others) AS duplicates
    FROM page AS a
    LEFT JOIN ops.article_tones AS t ON t.source = a.source AND t.article_id = a.article_id
    CROSS JOIN LATERAL ({{listings}}) AS about
    ORDER BY a.known_at DESC, a.source DESC, a.article_id DESC, a.recorded_at DESC
"""
SOURCES = """
    WITH RECURSIVE names AS (
        (SELECT a.source FROM records.articles AS a ORDER BY a.source LIMIT 1)
        UNION ALL
        SELECT (SELECT a.source FROM records.articles AS a WHERE a.source > names.source ORDER BY a.source LIMIT 1)
        FROM names WHERE names.source IS NOT NULL
    )
    SELECT names.source FROM names WHERE names.source IS NOT NULL
"""
LISTINGS_NAMED = """
    SELECT l.listing_id FROM records.listings AS l
    WHERE lower(%(name)s) IN (lower(l.symbol), lower(l.venue || ':' || l.symbol))
"""


@dataclass(frozen=True)
class Article:
    """A version of an article, known from `known_at` on.

    `positive` and `negative` count the words of the model's lists in its first title and summary; None until a run has
    counted them. `listings` are those that it mentions.
    """

    source: str
    article_id: str
    url: str | None
    title: str
    summary: str | None
    language: str | None
    published_at: datetime | None
    knowledge_basis: str
    fetch_id: int
    known_at: datetime
    positive: int | None
    negative: int | None
    model: str | None
    listing_ids: list[int]
    listing_names: list[str]
    duplicates: int

    @property
    def listings(self) -> list[tuple[int, str]]:
        """Ids and names of the listings that it mentions."""
        return list(zip(self.listing_ids, self.listing_names, strict=True))

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.known_at, self.source, self.article_id)


@dataclass(frozen=True)
class Duplicate:
    """Another article with the same title at about the same time."""

    source: str
    article_id: str
    title: str
    known_at: datetime


@dataclass(frozen=True)
class ArticleFilter:
    """What a list of articles is about; empty is everything. `listing_ids`: one of these is mentioned."""

    source: str = ""
    words: str = ""
    since: datetime | None = None
    listing_ids: Sequence[int] | None = field(default=None)


@dataclass(frozen=True)
class _Source:
    source: str


@dataclass(frozen=True)
class _Listing:
    listing_id: int


def read_articles(
    wanted: ArticleFilter, *, as_of: datetime, before: Place | None, most: int, has_news: bool
) -> list[Article]:
    """Articles as they were known at `as_of`, newest first by the time at which they became known. One query.

    Args:
        before: go on behind this place.
        has_news: whether dbt has made `cleaned.news`; without it no article has listings.
    """
    if wanted.listing_ids is not None and not (has_news and wanted.listing_ids):
        return []
    page = PAGE.format(about="" if wanted.listing_ids is None else IS_ABOUT)
    return read(
        Article,
        _articles(page, has_news=has_news),
        as_of=as_of,
        since=wanted.since,
        source=wanted.source,
        words=wanted.words,
        listing_ids=list(wanted.listing_ids or []),
        before_at=before.at if before else None,
        before_source=before.first if before else "",
        before_id=before.second if before else "",
        most=most,
    )


def read_article_versions(source: str, article_id: str, *, as_of: datetime, most: int, has_news: bool) -> list[Article]:
    """The versions of one article that were known at `as_of`, newest first; none where it was not known. One query."""
    query = _articles(ONE, has_news=has_news)
    return read(Article, query, source=source, article_id=article_id, as_of=as_of, most=most)


def read_duplicates(article: Article, *, as_of: datetime) -> list[Duplicate]:
    """Articles with the same title that became known within three days of it, oldest first. One query."""
    return read(
        Duplicate,
        DUPLICATES_OF,
        title=article.title,
        source=article.source,
        article_id=article.article_id,
        known_at=article.known_at,
        as_of=as_of,
    )


def read_article_sources() -> list[str]:
    """The sources that articles came from. One query, along the primary key."""
    return [row.source for row in read(_Source, SOURCES)]


def find_listings(name: str) -> list[int]:
    """The listings of a symbol, or of a venue and symbol, upper and lower case aside. One query."""
    return [row.listing_id for row in read(_Listing, LISTINGS_NAMED, name=name)]


def _articles(page: str, *, has_news: bool) -> str:
    return ARTICLES.format(page=page, listings=LISTINGS if has_news else NO_LISTINGS)
