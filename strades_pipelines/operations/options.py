"""What the commands of this room share: options, and how a day and an instrument are read."""

from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer

from strades_pipelines.bad_input import BadInput

FromDay = Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day (UTC).")]
ToDay = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The day after the last.")]
Listed = Annotated[str | None, typer.Option("--instrument", metavar="[VENUE:]SYMBOL", help="Only of this instrument.")]
AsOf = Annotated[str | None, typer.Option(metavar="TIME", help="As it was stored then.", show_default="now")]
KnownAt = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only what the world could know then.", show_default="now")
]
LISTINGS = "SELECT listing_id, venue || ':' || symbol AS name FROM records.listings ORDER BY 2"


def day(text: str, option: str) -> datetime:
    """The first instant of a day, UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadInput(f"{option}: expected a day such as 2012-01-31, found {text!r}") from None


def instant(text: str | None, option: str, now: datetime) -> datetime:
    """A time with its zone, in UTC; `now` for none."""
    if text is None:
        return now
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise BadInput(f"{option}: expected a time with its zone such as 2026-11-01T12:00:00Z, found {text[:40]!r}")
    return time.astimezone(UTC)


def stretch(from_: str | None, to: str | None) -> tuple[datetime | None, datetime | None]:
    """[from, to) of two days, None for no bound."""
    start, end = (None if text is None else day(text, name) for text, name in ((from_, "--from"), (to, "--to")))
    if start is not None and end is not None and start >= end:
        raise BadInput(f"--to: expected a day after --from {from_}, found {to}")
    return start, end


def listing_ids(connection: psycopg.Connection[Any], name: str | None) -> list[int] | None:
    """The listings that a name stands for: SYMBOL at every venue, VENUE:SYMBOL at one; None for no name."""
    if name is None:
        return None
    known = connection.execute(LISTINGS).fetchall()
    found = [id_ for id_, full in known if name in (full, full.partition(":")[2])]
    if not found:
        listed = ", ".join(full for _, full in known) or "none (the database has no listings)"
        raise BadInput(f"--instrument: expected one of {listed}; found {name!r}")
    return found
