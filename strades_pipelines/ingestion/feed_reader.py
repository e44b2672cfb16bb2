"""Feeds: RSS, Atom and RDF through feedparser, JSON Feed as the JSON it is; entries with one set of names.

An entry without an id of its own has the SHA-256 of its link and title: publishers reuse neither together.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from html import unescape
from itertools import islice
from typing import Any

from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.feed_dates import read_feed_date
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line

Entry = dict[str, Any]
Date = tuple[str, object]  # its name in lower case, one of `DATES`, and what the publisher wrote
# The first that an entry has is its publication; the latest is when its words were there.
DATES = ("published", "pubdate", "issued", "date", "updated", "modified", "edited", "available")
# Of Atom, its publishing protocol (RFC 5023, 10.2: when an entry was last edited, also where `updated` stays) and
# Dublin Core; other vocabularies have dates of events and of pictures.
DATE_VOCABULARIES = (
    "http://www.w3.org/2005/Atom", "http://www.w3.org/2007/app", "http://purl.org/atom/", "http://purl.org/dc/",
)  # fmt: skip
# Of entries with a prefix, as feedparser has them: RSS 1.0 and 0.9, Atom 1.0 and 0.3.
VOCABULARIES = (
    "http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/", "http://www.w3.org/2005/Atom",
    "http://purl.org/atom/ns#",
)  # fmt: skip
# Of HTML, those that stand without a value.
BARE_ATTRIBUTES = (
    "allowfullscreen", "async", "autoplay", "checked", "compact", "controls", "default", "defer", "disabled",
    "download", "hidden", "inert", "ismap", "itemscope", "loop", "multiple", "muted", "noshade", "novalidate", "nowrap",
    "open", "playsinline", "readonly", "required", "reversed", "selected",
)  # fmt: skip
NO_MARKUP = re.compile(rb"<!\[CDATA\[(?P<text>.*?)(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
DATE_OR_ENTRY = re.compile(
    rb"<(?:([\w.-]{1,40}):)?(item|entry|" + "|".join(DATES).encode() + rb")(?=[\s/>])[^<>]*>([^<]*)", re.IGNORECASE
)
MOST_ENTRIES = 10_000
ENTRY_TAG = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:item|entry)[\s/>]", re.IGNORECASE)


class FeedReader:
    """A feed. Entities are not expanded, nothing outside of the body is read."""

    def __init__(self, read: Read, body: bytes) -> None:
        bare = body.replace(b"\0", b"")  # UTF-16 too
        if b"<!ENTITY" in bare:
            raise BodyRefused("expected a feed, was XML that declares its own entities")
        if sum(1 for _ in islice(ENTRY_TAG.finditer(bare), MOST_ENTRIES + 1)) > MOST_ENTRIES:  # before they cost
            raise BodyRefused(f"expected at most {MOST_ENTRIES} entries, was more")
        self.entries = _json_entries(body) if bare.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else _xml_entries(body)
        if len(self.entries) > MOST_ENTRIES:
            raise BodyRefused(f"expected at most {MOST_ENTRIES} entries, was {len(self.entries)}")

    def scalar(self, pointer: str) -> object:
        """A feed says nothing but its entries."""
        return None

    def block(self, output: Output) -> Block:
        """The entries; fields are found by the names of `article`."""
        cells = {name: [entry.get(str(field.at)) for entry in self.entries] for name, field in output.fields.items()}
        return Block(len(self.entries), cells, lambda i: f"entry {i + 1}", self._raw)

    def _raw(self, i: int) -> str:
        entry = self.entries[i]
        return one_line(f"{entry['published']} {entry['title']} {entry['url']}", 500)


def _xml_entries(body: bytes) -> list[Entry]:
    import feedparser

    try:
        document = feedparser.parse(io.BytesIO(body))  # a stream: bytes would be tried as the name of a file
    except Exception as error:  # feedparser raises whatever it trips over: ValueError, TypeError, UnicodeError, ...
        raise BodyRefused(f"expected a feed, was one that cannot be read: {error}") from None
    if not document.version:
        fault = document.get("bozo_exception") or f"begins with {body[:40]!r}"
        raise BodyRefused(f"expected a feed, was not one: {fault}")
    if document.bozo and _cut_off(body):
        raise BodyRefused(f"expected a whole feed, was {document.bozo_exception}")
    language, dates = document.feed.get("language"), _dates_of_entries(body)
    if len(dates) != len(document.entries):  # nothing says which is whose: known when seen
        dates = [[] for _ in document.entries]
    atom = document.version.startswith("atom")
    return [_of_xml(entry, stated, language, atom=atom) for entry, stated in zip(document.entries, dates, strict=True)]


def _dates_of_entries(body: bytes) -> list[list[Date]]:
    """All dates of each entry in their order, of which feedparser keeps the last of dc:date and dcterms:modified."""
    from lxml import etree

    # No entities, no network, no DTD: each has been a way to read files of the host through XML.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return _dates_in_text(body)
    entries = root.iter("{*}item", "{*}entry")
    return [list(_dates_of(one)) for one in entries if one.prefix is None or _split(one.tag)[0] in VOCABULARIES]


def _dates_of(entry: Any) -> Iterator[Date]:
    own = _split(entry.tag)[0]
    for child in entry.iterchildren("{*}*"):
        vocabulary, name = _split(child.tag)
        if name in DATES and (vocabulary in ("", own) or vocabulary.startswith(DATE_VOCABULARIES)):
            yield name, "".join(child.itertext())


def _dates_in_text(body: bytes) -> list[list[Date]]:
    """The same of a feed that is not well-formed: each date is of the entry that began last, whatever is open by then.

    A parser that mends such a feed puts what follows an unclosed `<br>` into it, and what follows a stray `</p>`
    outside of the entry. Prefixes mean nothing here: a date too many makes an entry known later, or undated, and never
    earlier.
    """
    dates: list[list[Date]] = []
    for prefix, tag, text in DATE_OR_ENTRY.findall(NO_MARKUP.sub(_without_brackets, body.replace(b"\0", b""))):
        name = tag.decode().lower()
        if name in DATES and dates:
            dates[-1].append((name, unescape(text.decode("ascii", "replace"))))
        elif name not in DATES and not prefix:
            dates.append([])
    return dates


def _without_brackets(marked: re.Match[bytes]) -> bytes:
    return (marked["text"] or b"").replace(b"<", b" ")


def _split(tag: str) -> tuple[str, str]:
    """The namespace of an element, and its name in lower case, without a prefix that the feed does not declare.

    A vocabulary is named by http; publishers who write https mean the same.
    """
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{").replace("https://", "http://", 1), name.rpartition(":")[2].lower()


def _cut_off(body: bytes) -> bool:
    """Whether a feed that is not well-formed lacks its end; other faults of feeds in the wild are read over."""
    tail = body.replace(b"\0", b"").rstrip()[-200:].lower()
    return not any(end in tail for end in (b"</rss>", b"</feed>", b":rdf>", b"</rdf>", b":feed>", b"</channel>"))


def _of_xml(entry: Mapping[str, Any], dates: Sequence[Date], language: str | None, *, atom: bool) -> Entry:
    contents = [_shown(each.get("value"), each if atom else None) for each in entry.get("content", ())]
    people = [person.get("name") or person.get("email") for person in entry.get("authors", ())]
    return _entry(
        identity=entry.get("id"),
        url=entry.get("link"),
        title=_shown(entry.get("title"), entry.get("title_detail") if atom else None),
        summary=_shown(entry.get("summary"), entry.get("summary_detail") if atom else None),
        text=contents[0] if contents else None,
        authors=people,
        language=(entry.get("title_detail") or {}).get("language") or language,
        categories=[tag.get("term") for tag in entry.get("tags", ())],
        dates=dates,
    )


def _json_entries(body: bytes) -> list[Entry]:
    try:
        document = loads(body.removeprefix(b"\xef\xbb\xbf"))
    except JsonError as error:
        raise BodyRefused(str(error)) from None
    if "jsonfeed.org" not in str(document.get("version")) or not isinstance(document.get("items"), list):
        raise BodyRefused("expected a JSON Feed with items, was another document")
    if not all(isinstance(item, dict) for item in document["items"]):
        raise BodyRefused("expected items that are objects, was another")
    return [_of_json(item, document.get("language")) for item in document["items"]]


def _of_json(item: Mapping[str, Any], language: object) -> Entry:
    people = item.get("authors") or [item.get("author")]
    people = people if isinstance(people, list) else []
    tags = item.get("tags")
    return _entry(
        identity=None if item.get("id") is None else str(item["id"]),
        url=item.get("url") or item.get("external_url"),
        title=_line(item.get("title")),
        summary=_line(item.get("summary")),
        text=_line(item.get("content_text")) or plain(item.get("content_html")),
        authors=[person.get("name") for person in people if isinstance(person, dict)],
        language=item.get("language") or language,
        categories=tags if isinstance(tags, list) else [],
        dates=[("published", item.get("date_published")), ("modified", item.get("date_modified"))],
    )


def _entry(
    *,
    identity: Any,
    url: Any,
    title: str | None,
    authors: Sequence[Any],
    categories: Sequence[Any],
    dates: Sequence[Date],
    language: Any,
    **texts: str | None,
) -> Entry:
    """An entry of plain texts; without a title its text says what it is about."""
    published, modified = _instants(dates)
    link = _line(url)
    named = title or (texts["summary"] or texts["text"] or "")[:120] or None
    hashed = hashlib.sha256(f"{link or ''}\n{named or ''}".encode()).hexdigest()
    return {
        "id": _line(identity) or (hashed if link or named else None),
        "url": link,
        "title": named,
        **texts,
        "language": _line(language),
        "authors": _listed(authors),
        "categories": _listed(categories),
        "published": published,
        "modified": modified,
    }


def _instants(dates: Sequence[Date]) -> tuple[str | None, str | None]:
    """When an entry was published and last changed, in ISO 8601, UTC.

    Both are None where any of its dates is not understood: that one may be the last.
    """
    stated = [(name, date) for name, date in dates if date is not None and str(date).strip()]
    stated.sort(key=lambda named: DATES.index(named[0]))
    read = [read_feed_date(date) if isinstance(date, str) else None for _, date in stated]
    instants = [instant for instant in read if instant is not None]
    if not instants or len(instants) < len(read):
        return None, None
    return instants[0].isoformat(), max(instants).isoformat()


def _shown(value: object, construct: Mapping[str, Any] | None) -> str | None:
    """A text as a reader sees it: Atom's type `text` holds no markup (RFC 4287, 3.1.1); RSS says no type."""
    return _line(value) if (construct or {}).get("type") == "text/plain" else plain(value)


def plain(value: object) -> str | None:
    """Markup as the text that a reader sees, on one line; None where there is none.

    A `<` before a word that is no element of HTML, or that no `>` ends, is a letter: "yield spread <zero", "if a<b". So
    is one before an element's name with words that are no attributes: "if a<b then c>d".
    """
    if not isinstance(value, str):
        return None
    if "<" in value or "&" in value:
        from lxml import etree, html

        marked = _no_tag().sub("&lt;", _printable(value))
        try:
            value = str(html.fragment_fromstring(marked, create_parent=True).text_content())
        except (etree.ParserError, ValueError):
            return None
    return " ".join(_printable(value).split()) or None


@cache
def _no_tag() -> re.Pattern[str]:
    from lxml.html import defs

    tags, bare = "|".join(sorted(defs.tags)), "|".join(BARE_ATTRIBUTES)
    attributes = rf"(?:[\s/]+(?:{bare})(?=[\s/>]))*[\s/]*|[\s/][^<>=]*=[^<>]*"
    return re.compile(rf"<(?=[a-z])(?!(?:{tags})(?:{attributes})>)", re.IGNORECASE)


def _line(value: object) -> str | None:
    return (" ".join(_printable(value).split()) or None) if isinstance(value, str) else None


def _printable(value: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in value)


def _listed(values: Sequence[Any]) -> list[str]:
    made: Callable[[Any], str | None] = _line
    return list(dict.fromkeys(text for value in values if (text := made(value))))
