"""What came of a question: one answer a page, whatever happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from scrapers.plan import PlannedRequest

# Said of the moment or of the connection, not of the body: they would make equal answers differ.
PASSING_HEADERS = {"connection", "keep-alive", "set-cookie", "set-cookie2", "transfer-encoding", "authorization"}

Outcome = Literal["stored", "not_modified", "failed"]


@dataclass(frozen=True)
class Answer:
    """One page of an answer, or how it failed. `url` is the real one; `last` says that no page follows.

    `fetched_at` is when the request was sent (the last time, where it was tried again), `answered_at` when the whole
    answer had come. Both are UTC.
    """

    request: PlannedRequest
    url: str
    outcome: Outcome
    fetched_at: datetime
    answered_at: datetime | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = field(default=b"", repr=False)  # a log line of an answer is not to hold it
    etag: str | None = None  # as it can be sent back, or None
    last_modified: str | None = None
    error: str | None = None
    last: bool = True

    @property
    def lasting_headers(self) -> dict[str, str]:
        """The headers worth keeping: no cookies, nothing about the connection, no count-down of a rate limit."""
        kept = (self.headers or {}).items()
        return {name: value for name, value in kept if name not in PASSING_HEADERS and "ratelimit" not in name}
