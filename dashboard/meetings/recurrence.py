"""Repeat rules (RRULE of RFC 5545): which are taken, and what they come to within some days. Pure."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

MOST_REPEATS = 1_000  # that a rule may count, and that a span may hold
LONGEST_RULE = 200
FIRST_END, LAST_END = 1900, 9000  # years of an UNTIL
MOST_DAYS = 366 * 100  # after the first time, within which a rule that counts comes to its end
WEEKDAY, MONTH_DAY = "(?:MO|TU|WE|TH|FR|SA|SU)", r"[+-]?(?:[1-9]|1\d|2[0-8])"
PARTS = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,6}",
    "UNTIL": r"\d{8}(?:T\d{6}Z?)?",
    "BYMONTH": r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2])){0,11}",
    "BYMONTHDAY": f"{MONTH_DAY}(?:,{MONTH_DAY}){{0,30}}",
    "BYDAY": f"(?:[+-]?[1-5])?{WEEKDAY}(?:,(?:[+-]?[1-5])?{WEEKDAY}){{0,9}}",
    "BYSETPOS": "[+-]?[1-4]",
    "WKST": WEEKDAY,
}
# Beside FREQ, INTERVAL and an end. dateutil tries a rule that never fits, as each February 30, until the year 9999,
# which takes seconds: with these each rule fits again and again.
PARTS_OF = {
    "DAILY": {"BYDAY"},
    "WEEKLY": {"BYDAY", "WKST"},
    "MONTHLY": {"BYMONTHDAY", "BYDAY", "BYSETPOS"},
    "YEARLY": {"BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS"},
}
INSTANT = "%Y%m%dT%H%M%SZ"
STEP_DAYS = {"DAILY": 1, "WEEKLY": 7}  # of rules whose repeats may be begun with at any step


class RuleRefused(ValueError):
    """A rule is not one that is taken."""


def parse_rule(text: str) -> str:
    """The rule in its short form, parts in a fixed order; empty for an empty text.

    Raises:
        RuleRefused: not a rule with the PARTS_OF its frequency, or it counts more than MOST_REPEATS.
    """
    plain = text.strip().upper().removeprefix("RRULE:")
    if not plain:
        return ""
    parts = dict(part.partition("=")[::2] for part in plain.split(";"))
    known = all(name in PARTS and re.fullmatch(PARTS[name], value) for name, value in parts.items())
    if not known or len(parts) != plain.count(";") + 1 or not _fits(parts):
        raise RuleRefused(text)
    try:
        until = _until(parts.get("UNTIL", "20000101"), ZoneInfo("UTC"))
    except (ValueError, OverflowError) as error:
        raise RuleRefused(text) from error
    if not FIRST_END <= until.year <= LAST_END:
        raise RuleRefused(text)
    return _joined({name: parts[name] for name in PARTS if name in parts})


def _fits(parts: dict[str, str]) -> bool:
    """Whether these parts go together, so that the rule fits again and again."""
    frequency, names = parts.get("FREQ", ""), parts.keys() - {"FREQ", "INTERVAL", "COUNT", "UNTIL"}
    has_numbers = any(letter.isdigit() for letter in parts.get("BYDAY", ""))
    # Of the months that a longer interval comes to, perhaps none ever has a fifth Monday: February of each other year.
    is_each_month = frequency == "MONTHLY" and parts.get("INTERVAL", "1") == "1"
    return (
        frequency in PARTS_OF
        and names <= PARTS_OF[frequency]
        and not {"COUNT", "UNTIL"} <= parts.keys()
        and int(parts.get("COUNT", 1)) <= MOST_REPEATS
        and not (frequency == "DAILY" and "BYDAY" in names and int(parts.get("INTERVAL", 1)) % 7 == 0)
        and not (has_numbers and (frequency in STEP_DAYS or names & {"BYMONTHDAY", "BYSETPOS"}))
        and ("5" not in parts.get("BYDAY", "") or is_each_month)
        and ("BYSETPOS" not in names or ("BYDAY" in names and "BYMONTHDAY" not in names))
        and (frequency != "YEARLY" or "BYMONTH" in names or not names)
    )


def occurrences(
    starts_at: datetime, ends_at: datetime, rule: str, zone: str, *, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """When an event begins and ends (aware) of which a part lies in [start, end); at most MOST_REPEATS.

    Args:
        rule: one that `parse_rule` and `with_end` gave; it repeats the hour on the clocks of `zone`.
    """
    length = ends_at - starts_at
    if not rule:
        return [(starts_at, ends_at)] if starts_at < end and (ends_at > start or starts_at >= start) else []
    place = ZoneInfo(zone)
    first = _local(starts_at, place)
    # Clocks differ by at most a day from what they are in another zone or season.
    after = _local(start, place) - length - timedelta(days=1)
    last = _local(end, place) + timedelta(days=1)
    spans = ((at, at + length) for at in _repeats(rule, first, after, last, place) if at < end)
    return list(islice((span for span in spans if span[1] > start or span[0] >= start), MOST_REPEATS))


def with_end(rule: str, starts_at: datetime, zone: str) -> str:
    """The rule with an end as RFC 5545, 3.3.10 wants it beside a time of a zone: an instant of UTC.

    A rule that counts ends with its last repeat, so that its repeats of any year are found at once.

    Raises:
        RuleRefused: its end lies more than MOST_DAYS after its first time, or it is longer than LONGEST_RULE.
    """
    parts = dict(part.split("=") for part in rule.split(";")) if rule else {}
    place = ZoneInfo(zone)
    if "COUNT" in parts:
        count = int(parts.pop("COUNT"))
        first = _local(starts_at, place)
        last = first + timedelta(days=MOST_DAYS)
        found = list(islice(_repeats(_joined(parts), first, first, last, place), count))
        if len(found) < count:
            raise RuleRefused(rule)
        parts["UNTIL"] = f"{found[-1].astimezone(UTC):{INSTANT}}"
    elif "UNTIL" in parts:
        parts["UNTIL"] = f"{_until(parts['UNTIL'], place):{INSTANT}}"
    whole = _joined(parts)
    if len(whole) > LONGEST_RULE:
        raise RuleRefused(rule)
    return whole


def _joined(parts: dict[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _local(at: datetime, place: ZoneInfo) -> datetime:
    return at.astimezone(place).replace(tzinfo=None)


def _until(text: str, place: ZoneInfo) -> datetime:
    """The instant (UTC) that an UNTIL names: a time of UTC, one on the clocks of `place`, or the end of a day there."""
    if text.endswith("Z"):
        return datetime.strptime(text, INSTANT).replace(tzinfo=UTC)
    day = datetime.strptime(text[:8], "%Y%m%d")
    local = datetime.strptime(text, "%Y%m%dT%H%M%S") if "T" in text else day + timedelta(days=1, seconds=-1)
    return local.replace(tzinfo=place).astimezone(UTC)


def _repeats(rule: str, first: datetime, after: datetime, last: datetime, place: ZoneInfo) -> Iterator[datetime]:
    """The repeats (aware) up to `last`, at least those from `after` on: years of days before it are not gone through.

    `first`, `after` and `last` are times on the clocks of `place`.
    """
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

    parts = dict(part.split("=") for part in rule.split(";"))
    text = parts.pop("UNTIL", None)
    until = None if text is None else _until(text, place)
    if until is not None:
        last = min(last, _local(until, place))
    if last < first:
        return iter(())
    if parts["FREQ"] in STEP_DAYS and after > first:
        step = timedelta(days=int(parts.get("INTERVAL", 1)) * STEP_DAYS[parts["FREQ"]])
        first += (after - first) // step * step
    begins = (one.replace(tzinfo=place) for one in rrulestr(_joined(parts), dtstart=first).replace(until=last))
    return (at for at in begins if until is None or at <= until)
