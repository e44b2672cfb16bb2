"""What `strades parse` prints: the records and rejects of a body as one JSON document."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.verdicts import Parsed
from strades_pipelines.market.records import SCHEMAS
from strades_pipelines.system.regular_files import read_regular


def parse_document(protocol: str, file: Path, given: Sequence[str], now: datetime) -> dict[str, Any]:
    """The document of a file that holds a response body.

    Args:
        protocol: its name.
        given: what the body does not say, each as `key=value`.
        now: the fetch time to assume.

    Raises:
        ProtocolError: no such protocol, no such file, or something given that cannot be used.
        BodyRefused: the body is not what the protocol says.
    """
    loaded = load_protocol(protocol)
    try:
        body = read_regular(file, most_bytes=loaded.ask.max_bytes)
    except OSError as error:
        raise GivenError(f"{file}: expected a readable file, was {error.strerror}") from None
    return document(loaded, body, given=dict(map(pair, given)), fetched_at=now)


def document(protocol: Protocol, body: bytes, *, given: Mapping[str, str], fetched_at: datetime) -> dict[str, Any]:
    """`{"protocol", "sha256", "records": [{"kind", ...}], "rejects": [{"reason", "where", "raw"}]}`.

    Times are ISO 8601 with Z, dates ISO 8601; what is missing is None.
    """
    return describe(protocol, body, parse_bounded(protocol, body, given=given, fetched_at=fetched_at))


def describe(protocol: Protocol, body: bytes, parsed: Parsed) -> dict[str, Any]:
    """The same, of a body that is parsed."""
    return {
        "protocol": protocol.name,
        "sha256": hashlib.sha256(body).hexdigest(),
        "records": [
            {"kind": kind} | {name: _plain(row[name]) for name in SCHEMAS[kind].names if name != "knowledge_basis"}
            for kind, table in parsed.tables.items()
            for row in table.to_pylist()
        ],
        "rejects": [{"reason": item.reason, "where": item.where, "raw": item.raw} for item in parsed.rejects],
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def pair(text: str) -> tuple[str, str]:
    """What was given as `key=value`.

    Raises:
        GivenError: it is not of that form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise GivenError(f"expected key=value, was {text[:60]!r}")
    return name, value
