"""The as-of clock, the span of days and the place in a list, as the address of a page states them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from dashboard.gateway.reading import Place
from strades_pipelines.settings import settings

SPANS = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30), "365": timedelta(days=365)}
EARLIEST_YEAR = 1900  # nothing is older, and a time near year 1 has no clock in some zones
LONGEST_TEXT = 2000  # of a key in the address; PostgreSQL's index entries are shorter


@dataclass(frozen=True)
class Clock:
    """The instant that a page shows (UTC), its text in the address, and what was wrong with it."""

    as_of: datetime
    text: str
    problem: str | None

    @property
    def status(self) -> int:
        """The HTTP status of the page."""
        return 400 if self.problem else 200


def read_clock(request: HttpRequest) -> Clock:
    """The as-of time of the address; now without one, or where it is wrong."""
    text = request.GET.get("as_of", "")
    as_of, problem = parse_as_of(text, now=settings().now())
    return Clock(as_of, "" if problem else text, problem)


def parse_as_of(text: str, *, now: datetime) -> tuple[datetime, str | None]:
    """The instant (UTC) that `YYYY-MM-DDTHH:MM` names, and what is wrong with it: then the instant is `now`."""
    if not text:
        return now, None
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        found = None
    if found is None or found.year < EARLIEST_YEAR:
        return now, _("As of: expected a time such as 2012-06-30T21:00 (UTC); shown as of now.")
    if found > now:
        return now, _("As of: that time is still to come; shown as of now.")
    return found, None


def read_text(request: HttpRequest, name: str) -> str:
    """A text of the address, without blanks around it.

    Raises:
        Http404: it holds a NUL, which no text of PostgreSQL has, or is too long to be the key of anything.
    """
    text = str(request.GET.get(name, "")).strip()
    if "\0" in text or len(text) > LONGEST_TEXT:
        raise Http404
    return text


def read_place(request: HttpRequest) -> Place | None:
    """Where the page before ended, or None for the first page.

    Raises:
        Http404: the address names no place.
    """
    text = request.GET.get("before", "")
    if not text:
        return None
    place = Place.parse(text)
    if place is None:
        raise Http404
    return place


def read_since(request: HttpRequest, as_of: datetime) -> datetime | None:
    """The beginning of the days that the address asks for, back from `as_of`; None for all days."""
    span = SPANS.get(request.GET.get("days", ""))
    return as_of - span if span else None
