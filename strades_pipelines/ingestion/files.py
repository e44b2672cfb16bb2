"""A person's own files as answers of a source: looked through, then stored as bytes, then parsed like the rest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from strades_pipelines.database.body_store import keep_body
from strades_pipelines.datamanager.planning import given_of
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.sources import Sources, Website
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.record_tables import UnlistedError, rows_of
from strades_pipelines.ingestion.stored_rows import Listings
from strades_pipelines.ingestion.verdicts import BodyRefused, Reject
from strades_pipelines.market.ids import int63
from strades_pipelines.system.regular_files import read_regular

METHOD = "FILE"
KNOWN = "SELECT fetch_id FROM rawsources.fetches WHERE source = %s AND request_key = %s AND method = %s"
INSERT_FETCH = """
    INSERT INTO rawsources.fetches (
        fetch_id, source, protocol, request_key, method, url, given, month, fetched_at, outcome, sha256, run_id
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'stored', %s, %s)
"""


@dataclass(frozen=True)
class UserFile:
    """A user's file, loaded as if `source` had answered with it. Of its path only the name is stored."""

    name: str
    body: bytes
    source: str
    given: Mapping[str, str]

    @property
    def sha256(self) -> bytes:
        """The hash that the bytes are stored under."""
        return hashlib.sha256(self.body).digest()

    @property
    def request_key(self) -> str:
        """The same bytes with the same things given are the same file, whatever it is called."""
        # Sorted keys: the order of `--set` options must not make it another file.
        return f"file {self.sha256.hex()} {json.dumps(dict(sorted(self.given.items())))}"


@dataclass(frozen=True)
class StoredFile:
    """A stored file; `is_new` is false where its bytes had been loaded before."""

    file: UserFile
    fetch_id: int
    is_new: bool


def user_files(
    paths: Sequence[Path], protocol: Protocol, given: Mapping[str, str], sources: Sources, source: str | None
) -> list[UserFile]:
    """The files with the source they belong to, and what that source's list says of the symbol given.

    Args:
        given: what the bodies do not say; it goes before what `Sources.json` says.
        source: a website of `Sources.json`; None is the one that speaks the protocol.

    Raises:
        GivenError: a file that cannot be read, several websites that it may belong to, or a statistic of which nobody
            says when it is out.
    """
    return [
        file_of_source(path.name, _read(path, protocol.ask.max_bytes), protocol, given, sources, source)
        for path in paths
    ]


def file_of_source(
    name: str, body: bytes, protocol: Protocol, given: Mapping[str, str], sources: Sources, source: str | None
) -> UserFile:
    """A file's bytes with the source they belong to, as `user_files`.

    Raises:
        GivenError: several websites that it may belong to, or more bytes than an answer may have.
    """
    if len(body) > protocol.ask.max_bytes:
        raise GivenError(f"{name}: expected at most {protocol.ask.max_bytes} bytes, was {len(body)}")
    website = _website(protocol, sources, source)
    known = _known(website, protocol, given, sources) if website else {"venue": protocol.name.partition("_")[0]}
    said = {**known, **given}
    if "calendar" in given:
        # What the user states is not assumed: a body that contradicts it is not refused for it.
        said.pop("assumed", None)
    lag = protocol.read.scalars.get("lag_days")
    if lag is not None and lag.given and "lag_days" not in said:
        raise GivenError("expected --set lag_days=, how many days after its date a value is published, was none")
    return UserFile(name, body, website.name if website else protocol.name, said)


def _website(protocol: Protocol, sources: Sources, source: str | None) -> Website | None:
    if source is not None:
        website = sources.website(source)
        if website.protocol != protocol.name:
            raise GivenError(
                f"--source: expected a website of protocol {protocol.name}, {source} has {website.protocol}"
            )
        return website
    # With several, a guess would attribute the rows to the wrong source for good.
    speakers = [website for website in sources.websites if website.protocol == protocol.name]
    if len(speakers) > 1:
        raise GivenError(f"expected --source, one of {', '.join(one.name for one in speakers)}")
    return speakers[0] if speakers else None


def _known(website: Website, protocol: Protocol, given: Mapping[str, str], sources: Sources) -> dict[str, str]:
    told = [given_of(website, protocol, instrument) for instrument in sources.instruments_of(website)]
    fitting = [one for one in told if one["symbol"] == given.get("symbol")]
    if "interval" in given:
        fitting = [one for one in fitting if one.get("interval", given["interval"]) == given["interval"]]
    # The same instrument may be listed twice with the same terms; only terms that differ need a choice.
    if len(fitting) > 1 and fitting.count(fitting[0]) < len(fitting):
        if "interval" not in fitting[0]:
            raise GivenError(f"expected one instrument {given['symbol']} of {website.name}, found several that differ")
        intervals = ", ".join(one["interval"] for one in fitting)
        raise GivenError(
            f"expected --set interval=, one of {intervals}, since {website.name} lists {given['symbol']} so"
        )
    return fitting[0] if fitting else {"venue": website.venue}


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        return read_regular(path, most_bytes=most_bytes)
    except OSError as error:
        raise GivenError(f"{path}: expected a readable file, was {error.strerror}") from None


def dry_run(file: UserFile, protocol: Protocol, listings: Listings, now: datetime) -> tuple[int, tuple[Reject, ...]]:
    """Parse a file without storing anything; how many rows it has for the tables, and which are rejected.

    Raises:
        BodyRefused: it is not what the protocol says, or of a symbol without listing; one line with the file's name.
    """
    try:
        parsed = parse_bounded(protocol, file.body, given=file.given, fetched_at=now)
        venue = file.given.get("venue", file.source)
        rows = [
            rows_of(kind, table, fetch_id=0, source=file.source, venue=venue, listings=listings)
            for kind, table in parsed.tables.items()
        ]
    except (BodyRefused, GivenError, UnlistedError) as error:
        raise BodyRefused(f"{file.name}: {error}") from None
    return sum(table.num_rows for table in rows), parsed.rejects


def store_files(
    connection: psycopg.Connection[Any], files: Sequence[UserFile], protocol: Protocol, now: datetime
) -> list[StoredFile]:
    """Store the bytes of the files and a fetch for each, in one transaction; what is there already stays as it is."""
    with connection.transaction(), connection.cursor() as cursor:
        return [_keep(cursor, file, protocol, now) for file in files]


def _keep(cursor: psycopg.Cursor[Any], file: UserFile, protocol: Protocol, now: datetime) -> StoredFile:
    found = cursor.execute(KNOWN, [file.source, file.request_key, METHOD]).fetchone()
    if found is not None:
        return StoredFile(file, int(found[0]), is_new=False)
    sha256, url = keep_body(cursor, file.body), f"file:{file.name}"
    # The id is a function of what it is of: a second store of the same file gives the same fetch.
    fetch_id = int63(file.source, file.request_key, url, now, "stored", sha256)
    given = Jsonb(dict(file.given))
    row = [fetch_id, file.source, protocol.name, file.request_key, METHOD, url, given, now.date().replace(day=1), now]
    cursor.execute(INSERT_FETCH, [*row, sha256, "load"])
    return StoredFile(file, fetch_id, is_new=True)
