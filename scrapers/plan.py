"""What a crawl is asked to do: the plan that arrives as one JSON object on standard input."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from strades_pipelines.datamanager.request_windows import TICKS

KINDS = ("api", "file", "feed", "page")


class PlanError(ValueError):
    """The plan cannot be used: which key, what was expected, what was found."""


@dataclass(frozen=True)
class Paging:
    """A list that comes in pages of `size` rows, which are at the JSON pointer `rows`.

    The query's `param` numbers them from 1 or, with `next`, takes what stands there in the page before. Where that is a
    time (`unit`: s, ms, us, ns), a page that reaches the end of the window is the last. Something at one of `errors`
    says that a page is none.
    """

    param: str
    size: int
    rows: str = ""
    next: str | None = None
    unit: str | None = None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedRequest:
    """One question to a provider. `request_key` is the same whenever the same question is asked again."""

    request_key: str
    source: str
    protocol: str
    kind: str  # one of KINDS
    url: str
    month: date
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    given: Mapping[str, Any] | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    paging: Paging | None = None
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

    `variable` names the environment variable or secret file that holds it; the key itself is in no plan.
    """

    place: str  # query or header
    name: str
    variable: str
    scheme: str | None = None


@dataclass(frozen=True)
class Plan:
    """All questions to one source in one run, and how politely to ask them.

    `budget_seconds` is how long the whole crawl may take; what was not asked by then fails, and the next run asks it.
    """

    source: str
    run_id: str
    requests: tuple[PlannedRequest, ...]
    requests_per_second: float
    concurrency: int
    user_agent: str
    retries: int
    timeout_seconds: float
    budget_seconds: float
    auth: Auth | None = None


def read_plan(text: str) -> Plan:
    """The plan of its JSON text.

    Raises:
        PlanError: naming the key, in one line.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PlanError(f"plan: expected one JSON object on standard input, was not JSON ({error})") from None
    if not isinstance(document, dict):
        raise PlanError(f"plan: expected a JSON object, was {type(document).__name__}")
    rate = _of(document, "rate", dict, "plan")
    return Plan(
        source=_of(document, "source", str, "plan"),
        run_id=_of(document, "run_id", str, "plan"),
        requests=tuple(
            _request(each, f"plan.requests[{i}]") for i, each in enumerate(_of(document, "requests", list, "plan"))
        ),
        requests_per_second=_positive(rate, "requests_per_second", "plan.rate"),
        concurrency=int(_positive(rate, "concurrency", "plan.rate")),
        user_agent=_of(document, "user_agent", str, "plan"),
        retries=_of(document, "retries", int, "plan"),
        timeout_seconds=_positive(document, "timeout_seconds", "plan"),
        budget_seconds=_positive(document, "budget_seconds", "plan"),
        auth=_auth(document.get("auth")),
    )


def _auth(document: Any) -> Auth | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise PlanError(f"plan.auth: expected a JSON object, was {type(document).__name__}")
    name, variable = (_of(document, key, str, "plan.auth") for key in ("name", "variable"))
    place, scheme = document.get("place"), document.get("scheme")
    if place not in ("query", "header") or not (scheme is None or isinstance(scheme, str)):
        raise PlanError(f"plan.auth: expected place query or header and scheme as a text, was {place!r}, {scheme!r}")
    return Auth(place, name, variable, scheme)


def _request(document: Any, where: str) -> PlannedRequest:
    if not isinstance(document, dict):
        raise PlanError(f"{where}: expected a JSON object, was {type(document).__name__}")
    known = {field.name for field in fields(PlannedRequest)}
    if unknown := sorted(set(document) - known):
        raise PlanError(f"{where}: expected the keys of a request, was also given {unknown}")
    for name in ("request_key", "source", "protocol", "kind", "url", "month"):
        _of(document, name, str, where)
    if document["kind"] not in KINDS:
        raise PlanError(f"{where}.kind: expected one of {', '.join(KINDS)}, was {document['kind']!r}")
    parts = urlsplit(document["url"])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PlanError(f"{where}.url: expected an http or https address, was {document['url']!r}")
    if parts.username is not None:
        raise PlanError(
            f"{where}.url: expected no user in the address of {parts.hostname}; put credentials into a header"
        )
    paging = document.get("paging")
    return PlannedRequest(
        **{
            **document,
            "month": _parsed(date.fromisoformat, document["month"], f"{where}.month"),
            "window_start": _instant(document.get("window_start"), f"{where}.window_start"),
            "window_end": _instant(document.get("window_end"), f"{where}.window_end"),
            "paging": None if paging is None else _paging(paging, where),
        }
    )


def _paging(document: Mapping[str, Any], where: str) -> Paging:
    later, unit = document.get("next"), document.get("unit")
    if not (later is None or isinstance(later, str)) or unit not in (None, *TICKS):
        raise PlanError(f"{where}.paging: expected next as a text and a unit of time, was {later!r}, {unit!r}")
    rows, errors = str(document.get("rows", "")), tuple(map(str, document.get("errors", ())))
    return Paging(_of(document, "param", str, where), _of(document, "size", int, where), rows, later, unit, errors)


def _instant(text: str | None, where: str) -> datetime | None:
    if text is None:
        return None
    moment: datetime = _parsed(datetime.fromisoformat, text, where)
    if moment.tzinfo is None:
        raise PlanError(f"{where}: expected a time with its zone, was {text!r}")
    return moment


def _parsed(parse: Any, text: Any, where: str) -> Any:
    try:
        return parse(text)
    except (TypeError, ValueError):
        raise PlanError(f"{where}: expected ISO 8601, was {text!r}") from None


def _of(document: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    value = document.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise PlanError(f"{where}.{name}: expected {kind.__name__}, was {value!r}")
    return value


def _positive(document: Mapping[str, Any], name: str, where: str) -> float:
    value = document.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise PlanError(f"{where}.{name}: expected a number above 0, was {value!r}")
    return float(value)
