"""Filings (`records.documents`) as they were known at an instant."""

from dataclasses import dataclass
from datetime import date, datetime

from dashboard.gateway.reading import Place, read

COLUMNS = """d.source, d.document_id, d.entity, d.form, d.title, d.url, d.period_end, d.filed_at, d.knowledge_basis,
    d.fetch_id, d.recorded_at"""
IS_CORRECTED = """EXISTS (
    SELECT FROM records.document_revisions AS r WHERE r.source = d.source AND r.document_id = d.document_id
)"""
# What replaced another answer's words was not known before the answer that shows it, as for articles.
KNOWN_FROM = """
    CASE
        WHEN EXISTS (
            SELECT FROM records.document_revisions AS older
            WHERE older.source = d.source AND older.document_id = d.document_id
            AND older.recorded_at < d.recorded_at AND older.fetch_id <> d.fetch_id
        ) THEN greatest(
            d.knowledge_time,
            (SELECT coalesce(s.answered_at, s.fetched_at) FROM rawsources.fetches AS s WHERE s.fetch_id = d.fetch_id)
        )
        ELSE d.knowledge_time
    END AS known_at
"""
VERSIONS = f"""
    SELECT {COLUMNS}, {KNOWN_FROM} FROM records.documents AS d WHERE {{current}}
    UNION ALL
    SELECT {COLUMNS}, {KNOWN_FROM} FROM records.document_revisions AS d WHERE {{old}}
"""
NOT_EXCLUDED = "NOT records.was_excluded('documents', ARRAY[{version}.source, {version}.document_id], %(as_of)s)"
FILTERS = """
    AND {known_at} >= coalesce(%(since)s::timestamptz, '-infinity') AND {known_at} <= %(as_of)s
    AND ({known_at}, d.source, d.document_id) < (
        coalesce(%(before_at)s::timestamptz, 'infinity'), %(before_source)s::text, %(before_id)s::text
    )
    AND (%(entity)s = '' OR d.entity = %(entity)s)
    AND (%(form)s = '' OR upper(d.form) = upper(%(form)s))
"""
NEWEST_FIRST = "ORDER BY known_at DESC, d.source DESC, d.document_id DESC LIMIT %(most)s"
PAGE = f"""
    corrected AS (
        SELECT DISTINCT ON (versions.source, versions.document_id) versions.*
        FROM ({VERSIONS.format(current=IS_CORRECTED, old="true")}) AS versions
        WHERE versions.known_at <= %(as_of)s AND {NOT_EXCLUDED.format(version="versions")}
        ORDER BY versions.source, versions.document_id, versions.known_at DESC, versions.recorded_at DESC
    ),
    page AS (
        SELECT d.* FROM (
            (
                SELECT {COLUMNS}, d.knowledge_time AS known_at FROM records.documents AS d
                WHERE NOT {IS_CORRECTED} {FILTERS.format(known_at="d.knowledge_time")}
                {NEWEST_FIRST}
            )
            UNION ALL
            (
                SELECT {COLUMNS}, d.known_at FROM corrected AS d
                WHERE true {FILTERS.format(known_at="d.known_at")}
                {NEWEST_FIRST}
            )
        ) AS d {NEWEST_FIRST}
    )
"""
OF_ONE = "d.source = %(source)s AND d.document_id = %(document_id)s"
ONE = f"""
    page AS (
        SELECT d.* FROM ({VERSIONS.format(current=OF_ONE, old=OF_ONE)}) AS d
        WHERE d.known_at <= %(as_of)s AND {NOT_EXCLUDED.format(version="d")}
        ORDER BY d.known_at DESC, d.recorded_at DESC LIMIT %(most)s
    )
"""
FILINGS = """
    WITH {page}
    SELECT d.source, d.document_id, d.entity, d.form, d.title, d.url, d.period_end, d.filed_at, d.knowledge_basis,
        d.fetch_id, d.known_at, b.size
    FROM page AS d
    LEFT JOIN rawsources.fetches AS f ON f.fetch_id = d.fetch_id
    LEFT JOIN rawsources.bodies AS b ON b.sha256 = f.sha256
    ORDER BY d.known_at DESC, d.source DESC, d.document_id DESC, d.recorded_at DESC
"""


@dataclass(frozen=True)
class Filing:
    """A version of a filing, from `known_at` on. `size` is that of the stored body that names it, in bytes, unpacked:
    the archive's list; the filing itself stands at `url` and is not stored.
    """

    source: str
    document_id: str
    entity: str
    form: str
    title: str | None
    url: str | None
    period_end: date | None
    filed_at: datetime
    knowledge_basis: str
    fetch_id: int
    known_at: datetime
    size: int | None

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.known_at, self.source, self.document_id)


def read_filings(
    *, entity: str, form: str, since: datetime | None, as_of: datetime, before: Place | None, most: int
) -> list[Filing]:
    """Filings as they were known at `as_of`, newest first by the time at which they became known. One query.

    Args:
        entity: who filed, as the archive writes it (a CIK); empty for all.
        form: as `10-K`; empty for all.
        before: go on behind this place.
    """
    return read(
        Filing,
        FILINGS.format(page=PAGE),
        entity=entity,
        form=form,
        since=since,
        as_of=as_of,
        before_at=before.at if before else None,
        before_source=before.first if before else "",
        before_id=before.second if before else "",
        most=most,
    )


def read_filing_versions(source: str, document_id: str, *, as_of: datetime, most: int) -> list[Filing]:
    """The versions of one filing that were known at `as_of`, newest first; none where it was not known. One query."""
    return read(Filing, FILINGS.format(page=ONE), source=source, document_id=document_id, as_of=as_of, most=most)
