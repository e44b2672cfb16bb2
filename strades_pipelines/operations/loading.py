"""`strades load`: a user's own files, checked, stored as bytes, parsed and loaded like fetched bodies."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.ingestion.documents import pair
from strades_pipelines.ingestion.files import StoredFile, dry_run, store_files, user_files
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.stored_rows import read_listings
from strades_pipelines.operations.reparsing import summary_document


def load_files(
    paths: Sequence[Path],
    protocol: str,
    given: Sequence[str],
    sources: Sources,
    *,
    source: str | None = None,
    now: datetime,
    url: str | None = None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Load the files. All are checked before the first is stored, so that a wrong one leaves nothing behind.

    Args:
        given: what the bodies do not say, each as `key=value`.
        source: the website of `Sources.json` that they belong to, where several speak the protocol.
        now: when they count as fetched.

    Returns:
        The document of `summary_document`, with `files`: `[{"file", "sha256", "fetch_id", "source", "stored"}]`;
        `stored` is false for bytes that were there already.

    Raises:
        ProtocolError: no such protocol, or something given that cannot be used.
        BodyRefused: a file is not what the protocol says; one line with its name.
    """
    speaks = load_protocol(protocol)
    files = user_files(paths, speaks, dict(map(pair, given)), sources, source)
    sync_listings(sources, url=url, now=now)
    with connect(url) as connection:
        with connection.cursor() as cursor:
            listings = read_listings(cursor)
        for file in files:
            progress(f"checking {file.name}")
            dry_run(file, speaks, listings, now)
        connection.commit()
        stored = store_files(connection, files, speaks, now)
    progress("loading")
    summary = load_stored(url=url, now=now, fetch_ids=[file.fetch_id for file in stored])
    return {"files": list(map(_file_document, stored)), **summary_document(summary)}


def _file_document(stored: StoredFile) -> dict[str, Any]:
    file = stored.file
    return {
        "file": file.name,
        "sha256": file.sha256.hex(),
        "fetch_id": stored.fetch_id,
        "source": file.source,
        "stored": stored.is_new,
    }
