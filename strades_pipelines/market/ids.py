"""Ids that are functions of content: the same cause has the same id, in every run and every process."""

import base64
import hashlib
from datetime import UTC, date, datetime

Part = str | int | bytes | datetime | date | None


def digest(*parts: Part) -> bytes:
    """SHA-256 over the parts, joined by the unit separator.

    Text stays as it is, times are ISO 8601 with Z, bytes hex, None nothing.

    Raises:
        ValueError: for a naive time.
    """
    return hashlib.sha256("\x1f".join(map(_text, parts)).encode()).digest()


def int63(*parts: Part) -> int:
    """The first 63 bits of the digest: fits a PostgreSQL bigint, never negative."""
    return int.from_bytes(digest(*parts)[:8]) >> 1


def int31(*parts: Part) -> int:
    """The first 31 bits of the digest: fits a PostgreSQL integer, never negative."""
    return int.from_bytes(digest(*parts)[:4]) >> 1


def base32_id(*parts: Part) -> str:
    """26 characters A-Z2-7 (130 bits): fits the client order ids of Gate (28), Binance (36) and Alpaca (128)."""
    return base64.b32encode(digest(*parts)).decode()[:26]


def _text(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, bytes):
        return part.hex()
    if isinstance(part, datetime):
        if part.tzinfo is None:
            raise ValueError(f"an id needs an aware time, was the naive {part!r}")
        return part.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(part)
