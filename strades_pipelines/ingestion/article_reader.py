"""A web page of one article: title, authors and text, without menus, advertisements and comments, by trafilatura.

The page is decoded and parsed as a table's page is. Nothing is fetched, no script is run, and what styles hide is not
left out. The extractor guesses dates, also where a page states none: only a date that the page states whole is taken.
"""

import hashlib
import logging
import re
from typing import Any

from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.feed_dates import read_feed_date
from strades_pipelines.ingestion.page_encoding import page_text
from strades_pipelines.ingestion.text_lines import text_line, text_lines
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line

LEAST_TEXT = 200  # letters; a page that says less is a notice or a list of links, not an article
MOST_ELEMENTS = 50_000
LINKED_DATA = "//script[@type='application/ld+json']/text()"
DATES = {
    "published": (
        "//meta[@property='article:published_time' or @itemprop='datePublished']/@content",
        "//time[@itemprop='datePublished']/@datetime",
        LINKED_DATA,
    ),
    "modified": ("//meta[@property='article:modified_time' or @itemprop='dateModified']/@content", LINKED_DATA),
}
UNLINKED = "//body//text()[not(ancestor::a or ancestor::script or ancestor::style)]"


class ArticleReader:
    """A page as the one article on it.

    Raises:
        BodyRefused: it is no page of an article, or the extra that reads such pages is not installed.
    """

    def __init__(self, read: Read, body: bytes) -> None:
        root = _root(page_text(body))
        self.article = {name: _date(root, name) for name in DATES} | _extracted(root)

    def scalar(self, pointer: str) -> object:
        """A page says nothing but its article."""
        return None

    def block(self, output: Output) -> Block:
        """The one article; fields are found by the names of `article`."""
        cells = {name: [self.article.get(str(field.at))] for name, field in output.fields.items()}
        return Block(1, cells, lambda i: "the page", lambda i: one_line(str(self.article["title"]), 500))


def _root(text: str) -> Any:
    from lxml import etree, html

    parser: Any = html.HTMLParser(no_network=True, huge_tree=False, encoding="utf-8", remove_comments=True)
    try:
        root: Any = html.document_fromstring(text.encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise BodyRefused(f"expected an HTML page, was {error}") from None
    for fatal in parser.error_log.filter_from_fatals():  # libxml2 drops the rest and closes every open tag
        raise BodyRefused(f"expected a page that is read to its end, was {fatal.message} in line {fatal.line}")
    if (count := sum(1 for _ in root.iter())) > MOST_ELEMENTS:
        raise BodyRefused(f"expected a page of at most {MOST_ELEMENTS} elements, was {count}")
    return root


def _date(root: Any, name: str) -> str | None:
    """The first date of that name that the page states with time and zone, in ISO 8601, UTC."""
    in_linked_data = re.compile(rf'"date{name.capitalize()}"\s*:\s*"([^"]{{1,40}})"')
    for path in DATES[name]:
        for stated in map(str, root.xpath(path)):
            found = in_linked_data.search(stated)
            if (instant := read_feed_date(found[1] if found else stated)) is not None:
                return instant.isoformat()
    return None


def _extracted(root: Any) -> dict[str, object]:
    try:
        from trafilatura import bare_extraction
    except ImportError:
        raise BodyRefused("expected the extra that reads pages, was none: pip install 'strades[pages]'") from None
    unlinked, language = text_line(" ".join(root.xpath(UNLINKED))), text_line(root.get("lang"))
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs what pages say
    try:
        found: Any = bare_extraction(
            root, with_metadata=True, favor_precision=True, include_comments=False, include_tables=False
        )
    except Exception as error:  # it raises whatever it trips over
        raise BodyRefused(f"expected a page that can be read, was one with {one_line(str(error), 200)}") from None
    text, title = (text_line(found.text), text_line(found.title)) if found is not None else (None, None)
    letters = min(len(text or ""), len(unlinked or ""))  # a list of links is none
    if title is None or text is None or letters < LEAST_TEXT:
        raise BodyRefused(f"expected a page of one article, was one with {letters} letters of text")
    url = text_line(found.url)
    return {
        "id": url or hashlib.sha256(title.encode()).hexdigest(),
        "url": url,
        "title": title,
        "summary": text_line(found.description),
        "text": text,
        "authors": text_lines((found.author or "").split(";")),
        "language": language,
        "categories": text_lines([*(found.categories or ()), *(found.tags or ())]),
    }
