"""Sources.json: the websites to fetch, and the instruments that each is asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN, CalendarError, sessions
from strades_pipelines.datamanager.checked_json import CheckError, excerpt, read_checked
from strades_pipelines.datamanager.cron import cron_problem
from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.listing_events import ListingEvent, parse_events
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import KEY_BELONGS, ProtocolError, load_protocol, protocol_names
from strades_pipelines.market.instruments import IN_HUNDREDTHS
from strades_pipelines.settings import SettingsError, missing_secret, secret
from strades_pipelines.system.secret_values import is_secret_name

BUDGET_SECONDS = 300.0
MAX_BYTES = 10_000_000  # 5,000 listings have 1.2 MB
DAY_SECONDS = 86_400
SHARES = ("equity", "etf")


class SourcesError(ValueError):
    """Sources.json cannot be used; one line: file, path of the key, what was expected, what was found."""


@dataclass(frozen=True)
class Instrument:
    """A series of a website. Times are UTC; `end_date` None: still going on.

    A `statistic` is an official series in `unit`, published `lag_days` after the date of a value. A `filer` publishes
    documents. Neither is traded: they have no currency, tick or lot.
    """

    id: str
    symbol: str
    name: str
    type: str
    interval: str
    start_date: datetime
    end_date: datetime | None
    kind: str
    currency: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    calendar: str | None = None
    unit: str | None = None
    lag_days: int | None = None
    events: tuple[ListingEvent, ...] = ()

    @property
    def traded(self) -> bool:
        """Whether it has prices and sizes, so that a venue lists it."""
        return self.kind not in ("statistic", "filer")


@dataclass(frozen=True)
class Website:
    """A source: what is fetched, how, and when. Its name is an asset key and a value in the database."""

    name: str
    title: str
    url: str
    fonctionnel: bool
    category: str
    protocol: str
    schedule: str
    financial_instruments: tuple[str, ...]
    licence: str
    venue: str
    history_from: datetime | None
    budget_seconds: float = BUDGET_SECONDS


@dataclass(frozen=True)
class Sources:
    """The whole file."""

    websites: tuple[Website, ...]
    instruments: tuple[Instrument, ...]

    def website(self, name: str) -> Website:
        """The website of that name.

        Raises:
            SourcesError: there is none.
        """
        for website in self.websites:
            if website.name == name:
                return website
        known = ", ".join(sorted(website.name for website in self.websites))
        raise SourcesError(f"expected a website of Sources.json ({known}), was {excerpt(name)}")

    def instruments_of(self, website: Website) -> tuple[Instrument, ...]:
        """The instruments a website is asked for, in the website's order."""
        by_id = {instrument.id: instrument for instrument in self.instruments}
        return tuple(by_id[id_] for id_ in website.financial_instruments)


def load_sources(path: Path) -> Sources:
    """Read, check and type a Sources.json.

    Raises:
        SourcesError: one line with the file, the path of the key, what was expected and what was found.
    """
    try:
        document = read_checked(path, "sources", most_bytes=MAX_BYTES)
        sources = Sources(
            websites=tuple(_website(item, f"websites[{n}]") for n, item in enumerate(document["websites"])),
            instruments=tuple(
                _instrument(item, f"financial_instruments[{n}]")
                for n, item in enumerate(document["financial_instruments"])
            ),
        )
        for problem in _problems(sources):
            raise CheckError(problem)
    except CheckError as error:
        raise SourcesError(f"{path.name}: {error}") from None
    return sources


def check_calendars(sources: Sources, path: Path, *, year: int) -> None:
    """Build the calendar of each instrument for a year, which takes a moment each.

    Raises:
        SourcesError: names the first instrument whose calendar does not exist or has no sessions in that year.
    """
    for instrument in sources.instruments:
        if instrument.calendar not in (None, ALWAYS_OPEN):
            try:
                sessions(str(instrument.calendar), year, year)
            except CalendarError as error:
                raise SourcesError(f"{path.name}: instrument {instrument.id}: calendar: {error}") from None


def missing_keys(sources: Sources) -> list[str]:
    """One line for each active source whose provider's key is not set or malformed."""
    lines = []
    for n, website in enumerate(sources.websites):
        auth = load_protocol(website.protocol).ask.auth if website.fonctionnel else None
        for variable in auth.variables if auth else ():
            try:
                problem = None if secret(variable) else missing_secret(variable)
            except SettingsError as error:
                problem = str(error)
            if problem:
                lines.append(f"websites[{n}] ({website.name}), protocol {website.protocol}: {problem}")
    return lines


def _website(item: dict[str, Any], where: str) -> Website:
    problem = cron_problem(item["schedule"])
    if problem:
        raise CheckError(f"{where}.schedule: expected {problem}, was {excerpt(item['schedule'])}")
    _check_address(item["url"], f"{where}.url")
    start = item.get("history_from")
    typed = {
        "financial_instruments": tuple(item["financial_instruments"]),
        "venue": item.get("venue", item["name"]),
        "budget_seconds": float(item.get("budget_seconds", BUDGET_SECONDS)),
        "history_from": None if start is None else _time(start, f"{where}.history_from"),
    }
    return Website(**{**item, **typed})


def _check_address(url: str, where: str) -> None:
    """Refuse an unusable address or one that contains a secret; the message does not repeat the address."""
    try:
        address = urlsplit(url)
    except ValueError:
        raise CheckError(f"{where}: expected an http or https address, was one that cannot be read") from None
    if "@" in address.netloc or any(is_secret_name(name) for name, _ in parse_qsl(address.query)):
        raise CheckError(f"{where}: expected an address without user, password or key; {KEY_BELONGS}")


def _instrument(item: dict[str, Any], where: str) -> Instrument:
    end = item["end_date"]
    start_date = _time(item["start_date"], f"{where}.start_date")
    end_date = None if end is None else _time(end, f"{where}.end_date")
    if end_date is not None and end_date <= start_date:
        raise CheckError(f"{where}.end_date: expected a time after start_date {item['start_date']}, was {excerpt(end)}")
    sizes = {key: Decimal(item[key]) for key in ("tick_size", "lot_size") if key in item}
    events = parse_events(item.get("events", []), f"{where}.events", _time)
    return Instrument(**{**item, **sizes, "start_date": start_date, "end_date": end_date, "events": events})


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise CheckError(f"{where}: expected a day and time of the calendar, was {excerpt(text)}") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _problems(sources: Sources) -> Iterator[str]:
    """What the schema cannot check: unknown names, duplicates, contradictions."""
    yield from _repeated([website.name for website in sources.websites], "websites", "name")
    yield from _repeated([instrument.id for instrument in sources.instruments], "financial_instruments", "id")
    for n, instrument in enumerate(sources.instruments):
        yield from _lag_problem(instrument, f"financial_instruments[{n}].lag_days")
    by_id = {instrument.id: instrument for instrument in sources.instruments}
    known = protocol_names()
    listed: dict[tuple[str, str], tuple[Instrument, str]] = {}
    for n, website in enumerate(sources.websites):
        where = f"websites[{n}]"
        if website.protocol not in known:
            yield f"{where}.protocol: expected one of {', '.join(known)}, was {excerpt(website.protocol)}"
            continue
        yield from _repeated(website.financial_instruments, f"{where}.financial_instruments")
        protocol = _protocol(website.protocol, where)
        if protocol.ask.per == "instrument" and not website.financial_instruments:
            yield f"{where}.financial_instruments: expected at least one id for {website.protocol}, was none"
        for k, id_ in enumerate(website.financial_instruments):
            at = f"{where}.financial_instruments[{k}]"
            if id_ not in by_id:
                yield f"{at}: expected an id of financial_instruments, was {excerpt(id_)}"
                continue
            yield from _interval_problem(protocol, by_id[id_], at)
            yield from _missing_lag_problem(protocol, by_id[id_], at)
            yield from _hundredths_problem(protocol, by_id[id_], at)
            yield from _listing_problem(listed, website, by_id[id_], at)


def _protocol(name: str, where: str) -> Protocol:
    try:
        return load_protocol(name)
    except ProtocolError as error:
        raise CheckError(f"{where}.protocol: {error}") from None


def _lag_problem(instrument: Instrument, where: str) -> Iterator[str]:
    """Refuse a statistic of weeks, months or years that would be known before its interval has ended.

    A value is labelled by the first day of its interval and published after the last one. `30d` stands for a month of
    up to 31 days and `90d` for a quarter of up to 92, so the least lag is the interval plus a thirtieth.
    """
    seconds = interval_seconds(instrument.interval)
    if instrument.kind != "statistic" or seconds <= DAY_SECONDS:
        return
    least = seconds * 31 // (30 * DAY_SECONDS) + 1
    if (instrument.lag_days or 0) < least:
        found = "none" if instrument.lag_days is None else str(instrument.lag_days)
        reason = f"a value of {instrument.interval} is published only after that interval has ended"
        yield f"{where}: expected at least {least}, was {found}: {reason}"


def _missing_lag_problem(protocol: Protocol, instrument: Instrument, at: str) -> Iterator[str]:
    """Refuse a statistic without `lag_days` where the protocol takes the lag from the instrument.

    It cannot be derived from the interval: a series of days may be published daily or once a week. Too small a guess
    would be look-ahead.
    """
    scalar = protocol.read.scalars.get("lag_days")
    if scalar is not None and scalar.given and instrument.kind == "statistic" and instrument.lag_days is None:
        reason = "lag_days is how many days after its date a value is published, also in a weekly publication"
        yield f"{at}: expected an instrument with lag_days, was {excerpt(instrument.id)} without it: {reason}"


def _hundredths_problem(protocol: Protocol, instrument: Instrument, at: str) -> Iterator[str]:
    """Refuse shares of London, Johannesburg or Tel Aviv, quoted in hundredths or whole units, without a stated unit."""
    scalar = protocol.read.scalars.get("currency")
    says = scalar is not None and bool(scalar.body or scalar.default)
    if "candle" in protocol.kinds and instrument.kind in SHARES and instrument.currency in IN_HUNDREDTHS and not says:
        reason = f"{instrument.currency} is quoted in hundredths too; state the unit as its scalar currency"
        yield f"{at}: expected a protocol that says the currency of its prices, was {protocol.name}: {reason}"


def _interval_problem(protocol: Protocol, instrument: Instrument, at: str) -> Iterator[str]:
    intervals = protocol.ask.intervals
    if intervals and instrument.interval not in intervals:
        known = ", ".join(intervals)
        yield f"{at}: expected an instrument with an interval of {known}, was {excerpt(instrument.interval)}"


def _listing_problem(
    listed: dict[tuple[str, str], tuple[Instrument, str]], website: Website, instrument: Instrument, at: str
) -> Iterator[str]:
    """Refuse two series of one listing that describe it differently."""
    other, first = listed.setdefault((website.venue, instrument.symbol), (instrument, at))
    for name in ("kind", "currency", "tick_size", "lot_size", "calendar"):
        mine, theirs = getattr(instrument, name), getattr(other, name)
        if mine != theirs:
            yield f"{at}: expected {name} {excerpt(theirs)} as in {other.id} ({first}), was {excerpt(mine)}"


def _repeated(names: Iterable[str], where: str, key: str = "") -> Iterator[str]:
    seen: dict[str, int] = {}
    for n, name in enumerate(names):
        at = f"{where}[{n}].{key}" if key else f"{where}[{n}]"
        if name in seen:
            first = f"{where}[{seen[name]}]"
            yield f"{at}: expected a value that is there once, was {excerpt(name)} again (first at {first})"
        seen.setdefault(name, n)
