"""What a provider's handler is given and what it gives back: the world it lives in, the question, the reply."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

MICROSECOND = 1_000_000


@dataclass(frozen=True)
class World:
    """The sandbox's world: its clock, the seed of its market, and where a user drops files."""

    now: Callable[[], datetime]
    clock_held: bool
    seed: int
    extra: Path


@dataclass(frozen=True)
class Reply:
    """An HTTP response before conditional requests are looked at."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[World, str, Mapping[str, str]], Reply]  # (world, path below the host, query) -> reply


def json_reply(document: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of compact JSON, as the providers send it."""
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return Reply(body, "application/json", status, headers or {})


def strong_etag(body: bytes) -> str:
    """An entity tag that changes exactly when the body does."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def http_date(moment: datetime) -> str:
    """A time in the form of HTTP headers, whole seconds, GMT."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since the epoch, exactly."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * MICROSECOND + delta.microseconds


def iso(time: int) -> str:
    """Microseconds since the epoch as ISO 8601 in UTC, with microseconds and a Z."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
