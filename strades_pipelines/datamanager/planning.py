"""What to ask a source for: a pure function of what is wanted, what is known already, and the clock."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from strades_pipelines.datamanager.ask import Ask
from strades_pipelines.datamanager.fetch_log import Answer, FetchLog
from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.request_windows import EPOCH, month_start, reach_start, request_bounds, since_epoch
from strades_pipelines.datamanager.sources import Instrument, Sources, Website
from strades_pipelines.settings import settings

Window = tuple[datetime, datetime]
PLACE = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True)
class Request:
    """One question. `request_key` is the same whenever the same is asked; the window is [start, end), UTC, or None.

    `given` is what the answer's bytes do not say and a parser needs: symbol, interval, venue, calendar.
    """

    request_key: str
    source: str
    protocol: str
    kind: str
    method: str
    url: str
    headers: Mapping[str, str]
    given: Mapping[str, str]
    window_start: str | None
    window_end: str | None
    month: str
    etag: str | None = None
    last_modified: str | None = None
    paging: Mapping[str, str | int | Sequence[str]] | None = None
    rate_limit_errors: Mapping[str, str | Sequence[str]] | None = None
    usage_header: Mapping[str, str | int] | None = None
    max_bytes: int = field(default=0)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def plan(
    website: Website,
    sources: Sources,
    *,
    window: Window,
    now: datetime,
    log: FetchLog,
    force: bool = False,
    protocol: Protocol | None = None,
) -> list[Request]:
    """The questions about `window` ([from, to), UTC) that the log has no settled answer to.

    A chunk is settled when an answer is as new as its end and the protocol's lag; only `force` asks for it again. A
    source without windows is asked again when its answer is older than the protocol's refresh. Nothing is asked twice
    at one instant: a run under a held clock can be repeated. Chunks keep their width; `window` only chooses.

    Args:
        log: the newest answer by request key (`read_fetch_log`).
        protocol: the website's, where it is not one of the project's files.
    """
    protocol = protocol or load_protocol(website.protocol)
    chosen = []
    for request in _all_questions(website, sources, protocol, window, now):
        newest = log.get(request.request_key)
        if force or newest is None or not _answers(request, newest, protocol.ask, now):
            chosen.append(_conditional(request, newest))
    return chosen


def request_keys(website: Website, sources: Sources, *, window: Window, now: datetime) -> list[str]:
    """The keys of all questions about `window`: what `plan` needs the log of."""
    questions = _all_questions(website, sources, load_protocol(website.protocol), window, now)
    return [request.request_key for request in questions]


def spider_plan(website: Website, requests: Sequence[Request], *, run_id: str) -> dict[str, Any]:
    """The document that a spider reads on standard input."""
    ask = load_protocol(website.protocol).ask
    return {
        "source": website.name,
        "run_id": run_id,
        "requests": [request.document() for request in requests],
        "rate": {
            "requests_per_second": ask.requests_per_second,
            "concurrency": ask.concurrency,
            "burst": ask.burst,
        },
        "user_agent": settings().user_agent,
        "retries": ask.retries,
        "timeout_seconds": ask.timeout_seconds,
        "budget_seconds": website.budget_seconds,
        "auth": asdict(ask.auth) if ask.auth else None,
    }


def _all_questions(
    website: Website, sources: Sources, protocol: Protocol, window: Window, now: datetime
) -> Iterator[Request]:
    asked: Sequence[Instrument | None] = [None]
    if protocol.ask.per == "instrument":
        asked = sources.instruments_of(website)
    for instrument in asked:
        yield from _questions(website, protocol, instrument, window, now)


def _questions(
    website: Website, protocol: Protocol, instrument: Instrument | None, window: Window, now: datetime
) -> Iterator[Request]:
    ask = protocol.ask
    if ask.chunk is None:
        yield _question(website, protocol, instrument, None, now)
        return
    step = interval_seconds(instrument.interval) if instrument and ask.chunk.bars else 1
    reach = reach_start(ask.reach, step_seconds=step, now=now)
    first = max(instrument.start_date if instrument else EPOCH, website.history_from or EPOCH)
    last = (instrument and instrument.end_date) or datetime.max.replace(tzinfo=UTC)
    wanted = (max(window[0], first, reach), min(window[1], last, now))
    for start, end in request_bounds(ask.chunk, step_seconds=step, start=wanted[0], end=wanted[1]):
        cell = (max(start, first), min(end, last))
        yield _question(website, protocol, instrument, cell, now, reach)


def _question(
    website: Website,
    protocol: Protocol,
    instrument: Instrument | None,
    cell: Window | None,
    now: datetime,
    reach: datetime = EPOCH,
) -> Request:
    ask = protocol.ask
    given: dict[str, str] = {}
    key = [protocol.name]
    if instrument is not None:
        key += [instrument.symbol, instrument.interval] if ask.intervals else [instrument.symbol]
        given = given_of(website, protocol, instrument)
    asked = None
    if cell is not None:
        key += [_text(time) for time in cell]
        asked = (max(cell[0], reach), cell[1])  # the oldest chunk loses what is out of reach, and keeps its key
    return Request(
        request_key=" ".join(key),
        source=website.name,
        protocol=protocol.name,
        kind=ask.kind,
        method=ask.method,
        url=_url(ask, website, instrument, asked),
        headers=dict(ask.headers),
        given=given,
        window_start=_text(asked[0]) if asked else None,
        window_end=_text(asked[1]) if asked else None,
        month=f"{month_start(asked[0] if asked else now):%Y-%m-%d}",
        paging={**asdict(ask.paging), "errors": protocol.read.errors} if ask.paging else None,
        rate_limit_errors=asdict(ask.rate_limit_errors) if ask.rate_limit_errors else None,
        usage_header=asdict(ask.usage_header) if ask.usage_header else None,
        max_bytes=ask.max_bytes,
    )


def given_of(website: Website, protocol: Protocol, instrument: Instrument) -> dict[str, str]:
    """What the bytes of an answer about an instrument do not say, and a parser needs."""
    calendar = instrument.calendar or protocol.calendar
    given = {"symbol": instrument.symbol, "venue": website.venue, "calendar": calendar}
    read = protocol.read.scalars.get("calendar")
    if instrument.calendar is None and read is not None and read.body:
        given["assumed"] = "calendar"  # an answer that says another one is refused
    if protocol.ask.intervals:
        given["interval"] = instrument.interval
    if "currency" in protocol.read.scalars and instrument.currency is not None:
        given["currency"] = instrument.currency
    if instrument.kind == "future":  # the one kind whose prices obey another law
        given["kind"] = instrument.kind
    if instrument.unit is not None:
        given["unit"] = instrument.unit
    if instrument.lag_days is not None:
        given["lag_days"] = str(instrument.lag_days)
    return given


def _url(ask: Ask, website: Website, instrument: Instrument | None, asked: Window | None) -> str:
    words: dict[str, str] = {}
    if instrument is not None:
        words = {"symbol": instrument.symbol, "interval": ask.intervals.get(instrument.interval, instrument.interval)}
    if asked is not None:
        seconds = interval_seconds(instrument.interval) if instrument and ask.intervals else 1
        times = {"start": asked[0], "end": asked[1], "last": asked[1] - timedelta(seconds=seconds)}
        words |= {name: _stamp(time, ask.time_unit) for name, time in times.items()}
        words |= {"month": f"{asked[0]:%Y-%m}", "yyyymm": f"{asked[0]:%Y%m}"}
    # A symbol may have a slash in it.
    path = PLACE.sub(lambda found: quote(words[found[1]], safe=""), ask.url.removeprefix("{url}"))
    path = website.url + path if ask.url.startswith("{url}") else path
    query = {name: PLACE.sub(lambda found: words[found[1]], template) for name, template in ask.parameters.items()}
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}" if query else path


def _answers(request: Request, newest: Answer, ask: Ask, now: datetime) -> bool:
    """Whether the newest answer settles the question for now."""
    if newest.fetched_at >= now:
        return True
    if request.window_end is not None:
        end = datetime.fromisoformat(request.window_end)
        return newest.fetched_at >= end + timedelta(seconds=ask.lag_seconds)
    return newest.fetched_at > now - timedelta(seconds=ask.refresh_after_seconds or 0)


def _conditional(request: Request, newest: Answer | None) -> Request:
    """With the marks of the newest answer, if to the very same URL, so that an unchanged body is not sent again."""
    # That one page is unchanged says nothing of the others.
    if newest is None or newest.url != request.url or request.paging is not None:
        return request
    return replace(request, etag=newest.etag, last_modified=newest.last_modified)


def _stamp(time: datetime, unit: str) -> str:
    if unit in ("iso", "date"):
        return _text(time) if unit == "iso" else f"{time:%Y-%m-%d}"
    return str(since_epoch(time, unit))


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
