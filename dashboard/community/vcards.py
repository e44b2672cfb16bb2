"""Contacts as vCard files (RFC 6350): read and written by the content lines of `icalendar`, which are the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dashboard.accounts.models import User
from dashboard.bad_files import FileRefused
from dashboard.community.plain_text import readable

MOST_CARDS, LONGEST_NAME = 500, 64
NAMES = ("NICKNAME", "FN")


@dataclass(frozen=True)
class Card:
    """What is read of a card: names by which somebody here may be known."""

    names: tuple[str, ...]


def write_cards(people: Iterable[User]) -> bytes:
    """The file: the name that everybody here sees, and no address."""
    from icalendar import parser, vText

    content: Any = parser  # its own types are not complete
    lines = content.Contentlines()
    for person in people:
        heads = ("BEGIN:VCARD", "VERSION:4.0", f"UID:strades-{person.pk}")
        lines += [content.Contentline(head) for head in heads]
        for name in NAMES:
            lines.append(content.Contentline.from_parts(name, content.Parameters(), vText(person.pseudo)))
        lines.append(content.Contentline("END:VCARD"))
    return bytes(lines.to_ical()) if lines else b""


def read_cards(body: bytes) -> list[Card]:
    """The cards of a file, at most MOST_CARDS, those without a name left out.

    Raises:
        FileRefused: it is no vCard file.
    """
    from icalendar import parser

    content: Any = parser
    try:
        lines = content.Contentlines.from_ical(body.decode("utf-8-sig"))
        parts = [line.parts() for line in lines if line]
    except (UnicodeDecodeError, ValueError) as error:
        raise FileRefused("vCard") from error
    cards: list[Card] = []
    names: list[str] | None = None
    for name, _parameters, value in parts:
        # A group may stand before a name: `item1.NICKNAME`.
        key = name.upper().rpartition(".")[2]
        if key == "BEGIN" and value.upper() == "VCARD":
            names = []
        elif key == "END" and names is not None:
            cards += [Card(tuple(names))] if names else []
            names = None
        elif key in NAMES and names is not None:
            names.append(readable(str(value))[:LONGEST_NAME])
        if len(cards) > MOST_CARDS:
            raise FileRefused("vCard")
    if not cards:
        raise FileRefused("vCard")
    return cards
