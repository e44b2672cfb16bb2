"""HTML bodies: a table of the page, its columns found by the words above them."""

from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.page_encoding import page_text
from strades_pipelines.ingestion.page_styles import PageStyles
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line, refuse_bad_rows
from strades_pipelines.ingestion.visible_text import visible_text

SECTIONS = ("thead", "tbody", "tfoot")
PLACES = {"tr": ("table", *SECTIONS), "td": ("tr",), "th": ("tr",)}


class HtmlReader:
    """An HTML page as the text a person would see. Runs no script, fetches nothing."""

    def __init__(self, read: Read, body: bytes) -> None:
        text = page_text(body)
        if _ends_within_a_table(text):
            raise BodyRefused("expected a whole page, was one that ends within a table")
        # The page is decoded already: with the label of its own meta element libxml2 would decode it again.
        parser: Any = html.HTMLParser(no_network=True, huge_tree=False, encoding="utf-8")
        try:
            self.root: Any = html.document_fromstring(text.encode(), parser=parser)
        except (etree.ParserError, etree.XMLSyntaxError) as error:
            raise BodyRefused(f"expected an HTML page, was {error}") from None
        # lxml raises for few of them: the rest of the page is lost without a word.
        for fatal in parser.error_log.filter_from_fatals():  # libxml2 drops the rest and closes every open tag
            raise BodyRefused(f"expected a page that is read to its end, was {fatal.message} in line {fatal.line}")
        self.styles = PageStyles(self.root)

    def scalar(self, pointer: str) -> object:
        """The text at an XPath, or None."""
        found = self.root.xpath(pointer)
        return visible_text(found[0], self.styles) if isinstance(found, list) and found else None

    def block(self, output: Output) -> Block:
        """The rows of the one table at the output's XPath, below its line of headings."""
        tables = self.root.xpath(output.rows)
        if len(tables) > 1:  # pages have a second one for other screens
            tables = [table for table in tables if not self._is_hidden(table)]
        if len(tables) != 1:
            raise BodyRefused(f"expected one table at {output.rows}, was {len(tables) or 'none'}")
        # Before the rows are read: cells that libxml2 has moved would stand under other headings.
        _refuse_out_of_place(tables[0])
        headings, *rows = [self._cells(row) for row in self._rows_of(tables[0])] or [[]]
        places = {}
        for name, field in output.fields.items():
            if headings.count(str(field.at)) > 1:
                raise BodyRefused(f"expected one column {field.at}, was the line of headings {' | '.join(headings)!r}")
            if field.at in headings:
                places[name] = headings.index(str(field.at))
            elif not field.optional:
                raise BodyRefused(f"expected a column {field.at}, was the line of headings {' | '.join(headings)!r}")
        broken = {i: "wrong_number_of_columns" for i, row in enumerate(rows) if len(row) != len(headings)}
        refuse_bad_rows(len(broken), len(rows))
        cells: dict[str, list[Any]] = {
            name: ["" if i in broken else row[at] for i, row in enumerate(rows)] for name, at in places.items()
        }
        cells |= {name: [None] * len(rows) for name in output.fields if name not in places}
        return Block(len(rows), cells, lambda i: f"row {i + 1}", lambda i: one_line(" | ".join(rows[i]), 500), broken)

    def _is_hidden(self, table: Any) -> bool:
        return any(self.styles.is_gone(element) for element in (table, *table.iterancestors()))

    def _rows_of(self, part: Any) -> Iterator[Any]:
        """The rows of a table, not those of the tables in its cells: each text is read once, however deep they nest."""
        for child in part.iterchildren("tr", *SECTIONS):
            if not (self.styles.is_gone(child) or self.styles.is_blank(child)):
                if child.tag == "tr":
                    yield child
                elif part.tag == "table":
                    yield from self._rows_of(child)

    def _cells(self, row: Any) -> list[str]:
        """The texts of the cells that take up a column."""
        cells = [cell for cell in row.iterchildren("th", "td") if not self.styles.is_gone(cell)]
        return ["" if self.styles.is_blank(cell) else visible_text(cell, self.styles) for cell in cells]


def _ends_within_a_table(text: str) -> bool:
    """Whether the page stops inside a table: libxml2 would close it, and a truncated number still parses.

    A table in a cell ends before the table around it.
    """
    lower = text.lower()
    last_cell = max(lower.rfind("<td"), lower.rfind("<th"))
    behind = lower[last_cell:]
    if last_cell < 0 or "</body" in behind or "</html" in behind:
        return False
    return "</table" not in behind or lower.count("<table") > lower.count("</table")


def _refuse_out_of_place(table: Any) -> None:
    """Refuse a table with rows or cells nested where this reader does not look.

    HTML 13.2.6.4.9 to 13.2.6.4.15 moves them; libxml2 leaves a row without end tags before it in an unclosed <font>
    of the last cell, and drops the </tr> of a row without <tr>.
    """
    for element in table.iterdescendants("tr", "td", "th"):
        parent = element.getparent().tag
        if parent in PLACES[element.tag] or next(element.iterancestors("table")) is not table:
            continue
        raise BodyRefused(f"expected tables with their end tags, was a {element.tag} in a {parent}")
