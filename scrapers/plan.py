"""What a crawl is asked to do: the plan that arrives as one JSON object on standard input."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

# pydantic checks a document against these dataclasses: no other key is taken, and no value is converted to its type.
EXACTLY = ConfigDict(extra="forbid", strict=True)
LONGEST_SHOWN = 60  # characters of a wrong value
# Faults of which pydantic shows no value, in words of ours.
SAID = {
    "missing": "expected a value, was missing",
    "unexpected_keyword_argument": "expected no such key; remove it",
}
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PlanError(ValueError):
    """The plan cannot be used: which key, what was expected, what was found."""


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected an http or https address, was {url!r:.{LONGEST_SHOWN}}")
    if parts.username is not None:
        raise ValueError(f"expected no user in the address of {parts.hostname}; put credentials into a header")
    return url


@dataclass(frozen=True)
class Paging:
    """A list that comes in pages of `size` rows, which are at the JSON pointer `rows`.

    The query's `param` numbers them from 1, counts the `rows` before them or, with `next`, takes what stands there in
    the page before. Where that is a time (`unit`: s, ms, us, ns), a page that reaches the end of the window is the
    last; without `unit` it is a token, and a page that has one is not the last, however short. Something at one of
    `errors` says that a page is none.
    """

    __pydantic_config__: ClassVar = EXACTLY
    param: str
    size: int
    rows: str = ""
    next: str | None = None
    unit: Literal["s", "ms", "us", "ns"] | None = None
    counts: Literal["pages", "rows"] = "pages"
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class RateLimitErrors:
    """What says, in an answer with HTTP 200, that the provider was asked too often: one of `codes` at the pointer `at`.

    There may stand one code, or a list of them.
    """

    __pydantic_config__: ClassVar = EXACTLY
    at: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class UsageHeader:
    """The header `name` of an answer: how much was used of the host's limit, or remains, in this window of seconds.

    At `limit` no more is sent until the window ends.
    """

    __pydantic_config__: ClassVar = EXACTLY
    name: str
    counts: Literal["used", "remaining"]
    limit: Annotated[int, Field(ge=0)]
    window_seconds: Annotated[int, Field(gt=0)]


@dataclass(frozen=True)
class PlannedRequest:
    """One question to a provider. `request_key` is the same whenever the same question is asked again."""

    __pydantic_config__: ClassVar = EXACTLY
    request_key: str
    source: str
    protocol: str
    kind: Literal["api", "file", "feed", "page"]
    url: Annotated[str, AfterValidator(_http)]
    month: date
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    given: Mapping[str, Any] | None = None
    window_start: AwareDatetime | None = None
    window_end: AwareDatetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    paging: Paging | None = None
    rate_limit_errors: RateLimitErrors | None = None
    usage_header: UsageHeader | None = None
    max_bytes: int = 50_000_000

    @property
    def host(self) -> str:
        """The host (and port, where one is named) that is asked."""
        return urlsplit(self.url).netloc

    def page_url(self, value: str | None) -> str:
        """The URL of the page that `value` asks for; without one it is the first, the URL as planned."""
        if value is None or self.paging is None:
            return self.url
        parts = urlsplit(self.url)
        query = [
            (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != self.paging.param
        ]
        return urlunsplit(parts._replace(query=urlencode([*query, (self.paging.param, value)])))


@dataclass(frozen=True)
class Auth:
    """Where a source's key goes: the query's or the header's `name`; `scheme` is the word before it, such as `Bearer`.

    `variable` names the environment variable or secret file that holds it; the key itself is in no plan. `second` is a
    further header with the other part of a key.
    """

    __pydantic_config__: ClassVar = EXACTLY
    place: Literal["query", "header"]
    name: str
    variable: str
    scheme: str | None = None
    second: "Auth | None" = None


@dataclass(frozen=True)
class Rate:
    """How often a host may be asked, by all sources together; `burst` requests at once after a time without any."""

    __pydantic_config__: ClassVar = EXACTLY
    requests_per_second: Positive
    concurrency: Annotated[int, Field(gt=0)]
    burst: Annotated[int, Field(gt=0)] = 1


@dataclass(frozen=True)
class Plan:
    """All questions to one source in one run, and how politely to ask them.

    `budget_seconds` is how long the whole crawl may take; what was not asked by then fails, and the next run asks it.
    """

    __pydantic_config__: ClassVar = EXACTLY
    source: str
    run_id: str
    requests: tuple[PlannedRequest, ...]
    rate: Rate
    user_agent: str
    retries: int
    timeout_seconds: Positive
    budget_seconds: Positive
    auth: Auth | None = None


def read_plan(text: str) -> Plan:
    """The plan of its JSON text.

    Raises:
        PlanError: naming the key, in one line.
    """
    try:
        return TypeAdapter(Plan).validate_json(text)
    except ValidationError as error:
        raise PlanError(_line(error)) from None


def _line(error: ValidationError) -> str:
    """The first fault: its place, what was expected, what was found.

    A validator of ours says what was found itself: an address may hold a password.
    """
    first = error.errors(include_url=False, include_context=False)[0]
    where = "plan" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"])
    if first["type"] in SAID:
        return f"{where}: {SAID[first['type']]}"
    said = first["msg"].removeprefix("Value error, ").replace("Input should", "expected to", 1)
    return f"{where}: {said}" + ("" if first["type"] == "value_error" else f", was {first['input']!r:.{LONGEST_SHOWN}}")
