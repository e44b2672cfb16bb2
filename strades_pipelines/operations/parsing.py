"""`strades parse`: a response body, parsed and printed, without a database."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from strades_pipelines.ingestion.documents import parse_document
from strades_pipelines.operations.output import print_json
from strades_pipelines.settings import settings

MOST_LINES = 10  # of the records, and of the rejects


def show_parsed(protocol: str, file: Path, given: Sequence[str], *, as_json: bool) -> None:
    """Parse a file as the protocol says; print the JSON document, or the counts and the first records and rejects.

    Args:
        given: what the body does not say, each as `key=value`.

    Raises:
        ProtocolError: no such protocol, or something given that cannot be used.
        BodyRefused: the file is not what the protocol says.
    """
    document = parse_document(protocol, file, given, settings().now())
    if as_json:
        print_json(document)
        return
    records, rejects, console = document["records"], document["rejects"], Console()
    console.print(f"{len(records):,} records, {len(rejects):,} rejects, sha256 {document['sha256']}")
    for record in records[:MOST_LINES]:
        console.print(record)
    for reject in rejects[:MOST_LINES]:
        console.print("[yellow]reject[/]", reject)
