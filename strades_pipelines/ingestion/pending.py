"""Stored fetches that are to be parsed, in the order they came."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol, protocol_names
from strades_pipelines.datamanager.strict_json import loads
from strades_pipelines.ingestion.bounded_parse import TOO_COSTLY

if TYPE_CHECKING:
    import psycopg
    from adbc_driver_manager.dbapi import Cursor

# A batch is parsed in memory and committed at once: these bound both.
BATCH_FETCHES = 25
BATCH_BYTES = 8_000_000
Window = tuple[datetime, datetime]


@dataclass(frozen=True)
class Fetch:
    """A stored answer with its body as stored: sent for at `fetched_at`, whole at `answered_at`, UTC."""

    fetch_id: int
    source: str
    protocol: str
    given: Mapping[str, str]
    fetched_at: datetime
    answered_at: datetime
    url: str
    sha256: bytes
    size: int
    packed: bytes

    @property
    def order(self) -> tuple[datetime, int]:
        """What comes later wins."""
        return self.fetched_at, self.fetch_id


@dataclass(frozen=True)
class Choice:
    """Which fetches: those not parsed yet; with `reparse` also those of another version, or `fetch_ids` in any case.

    `window` ([from, to), UTC) chooses those that asked for a part of it, and those that have no window.
    """

    parser_version: str
    window: Window | None = None
    fetch_ids: tuple[int, ...] | None = None
    reparse: bool = False

    def condition(self) -> str:
        """SQL over `f` (fetches) and `p` (parses, left joined); holds no text from outside."""
        # The column and not the join: the fetches that wait have an index of their own by it.
        unparsed = "NOT f.is_parsed"
        if self.reparse and self.fetch_ids is not None:
            unparsed = "true"
        elif self.reparse:
            unparsed = f"(NOT f.is_parsed OR p.parser_version <> '{self.parser_version}')"
        clauses = [unparsed, _readable()]
        if self.window is not None:
            start, end = (time.astimezone(UTC).isoformat() for time in self.window)
            clauses.append(f"(f.window_start IS NULL OR (f.window_start < '{end}' AND f.window_end > '{start}'))")
        if self.fetch_ids is not None:
            clauses.append(f"f.fetch_id = {any_of(self.fetch_ids)}")
        return " AND ".join(clauses)


def any_of(ids: Sequence[int]) -> str:
    """`ANY(...)` of whole numbers, for SQL."""
    return f"ANY('{{{','.join(str(int(number)) for number in ids)}}}'::bigint[])"


def costly_refusals(cursor: "Cursor | psycopg.Cursor[Any]") -> Mapping[tuple[str, str, bytes], str]:
    """Why bodies took too long to parse, by source, protocol and SHA-256: they are not tried again at every run."""
    cursor.execute(
        "SELECT f.source, f.protocol, f.sha256, p.error FROM records.parses AS p "
        "INNER JOIN rawsources.fetches AS f USING (fetch_id) "
        f"WHERE p.outcome = 'refused' AND starts_with(p.error, '{TOO_COSTLY}')"
    )
    return {(source, protocol, bytes(sha256)): error for source, protocol, sha256, error in cursor.fetchall()}


def still_pending(cursor: "Cursor", ids: Sequence[int], choice: Choice) -> set[int]:
    """Which of these fetches are still to be parsed."""
    cursor.execute(
        "SELECT f.fetch_id FROM rawsources.fetches AS f LEFT JOIN records.parses AS p USING (fetch_id) "
        f"WHERE f.fetch_id = {any_of(ids)} AND {choice.condition()}"
    )
    return {fetch_id for (fetch_id,) in cursor.fetchall()}


def batches(cursor: "Cursor", choice: Choice) -> Iterator[list[int]]:
    """The ids of the chosen fetches in fetch order, in batches of bounded size."""
    cursor.execute(
        "SELECT f.fetch_id, b.size FROM rawsources.fetches AS f INNER JOIN rawsources.bodies AS b USING (sha256) "
        f"LEFT JOIN records.parses AS p USING (fetch_id) WHERE {choice.condition()} ORDER BY f.fetched_at, f.fetch_id"
    )
    batch: list[int] = []
    total = 0
    for fetch_id, size in cursor.fetchall():
        # A body larger than the limit is a batch of its own.
        if batch and (len(batch) >= BATCH_FETCHES or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(fetch_id)
        total += size
    if batch:
        yield batch


def read_fetches(cursor: "Cursor", ids: Sequence[int], choice: Choice) -> list[Fetch]:
    """The fetches of a batch that are still to be parsed, with their bodies, in fetch order."""
    cursor.execute(
        "SELECT f.fetch_id, f.source, f.protocol, f.given::text, f.fetched_at, "
        "coalesce(f.answered_at, f.fetched_at), f.url, b.sha256, b.size, b.body "
        "FROM rawsources.fetches AS f INNER JOIN rawsources.bodies AS b USING (sha256) "
        "LEFT JOIN records.parses AS p USING (fetch_id) "
        f"WHERE f.fetch_id = {any_of(ids)} AND {choice.condition()} ORDER BY f.fetched_at, f.fetch_id"
    )
    return [
        Fetch(fetch_id, source, protocol, loads(given.encode()), *rest)
        for fetch_id, source, protocol, given, *rest in cursor.fetchall()
    ]


def _readable() -> str:
    """Bodies that were sent, and, where the clock says what is final, unchanged ones: they may now say more."""
    by_clock = [name for name in protocol_names() if _final_by_clock(name)]
    names = ", ".join(f"'{name}'" for name in by_clock)
    again = f" OR (f.outcome = 'not_modified' AND f.protocol IN ({names}))" if names else ""
    return f"(f.outcome = 'stored'{again})"


def _final_by_clock(name: str) -> bool:
    try:
        outputs = load_protocol(name).read.outputs
    except ProtocolError:
        return False
    return any(output.kind == "candle" and output.finality == "clock" for output in outputs)
