"""What a protocol says of how to ask a provider: addresses, keys, pages, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A length of time: in bars of the interval asked for, in seconds, or a year, month or day of the calendar."""

    bars: int | None = None
    seconds: int | None = None
    calendar: str | None = None


@dataclass(frozen=True)
class Paging:
    """Pages are numbered from 1 by `param`, which may count the `rows` before them; one with fewer than `size` is last.

    With `next`, `param` takes what stands there in the page before, such as its last row's time; where that is a time
    (`unit`), a page that reaches the end of the window is the last. `rows` is where the rows are.
    """

    param: str
    size: int
    rows: str = ""
    next: str | None = None
    unit: str | None = None
    counts: str = "pages"


@dataclass(frozen=True)
class Auth:
    """Where the provider's key goes, and the name of the variable or secret file that holds it; never the key.

    `place`: the `query` or a `header`. `scheme` is the word before it in a header; `Basic` sends `user:password` in
    Base64. `second` is a further header, of a provider that wants a key in two parts.
    """

    place: str
    name: str
    variable: str
    scheme: str | None = None
    second: "Auth | None" = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables of all parts."""
        return (self.variable, *(self.second.variables if self.second else ()))


@dataclass(frozen=True)
class RateLimitErrors:
    """What says, in an answer with HTTP 200, that we ask too often: one of `codes` at the JSON pointer `at`.

    A list may stand there. An answer that says so is asked for again, with back-off, as one with HTTP 429.
    """

    at: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class UsageHeader:
    """A header that says how much of the host's limit is used, or remains, in a window of `window_seconds`.

    `counts`: `used` or `remaining`. At `limit` nothing more is sent to the host until the window ends; windows begin at
    multiples of their length since the epoch.
    """

    name: str
    counts: str
    limit: int
    window_seconds: int


@dataclass(frozen=True)
class Ask:
    """How to ask. `url` and `parameters` may hold {symbol}, {interval}, {start}, {end} (exclusive), {last} (bar).

    {month} is the window's as YYYY-MM, {yyyymm} the same without the dash; {url} is the website's own.

    `chunk` cuts a window into questions, aligned to the epoch or the calendar; without it the source has no window.
    `reach` is how far back the provider answers. A chunk is settled `lag_seconds` after its end. A source without
    window is asked again after `refresh_after_seconds`. `requests_per_second` is the host's, whoever asks; after a time
    without requests `burst` may go out at once.
    """

    per: str
    kind: str
    method: str
    url: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    time_unit: str
    intervals: Mapping[str, str]
    chunk: Span | None
    reach: Span | None
    paging: Paging | None
    lag_seconds: int
    refresh_after_seconds: int | None
    requests_per_second: float
    concurrency: int
    retries: int
    timeout_seconds: float
    max_bytes: int
    auth: Auth | None = None
    rate_limit_errors: RateLimitErrors | None = None
    usage_header: UsageHeader | None = None
    burst: int = 1
