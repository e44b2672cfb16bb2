"""HTML bodies: a table of the page, its columns found by the words above them."""

from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.page_styles import PageStyles
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line, refuse_bad_rows
from strades_pipelines.ingestion.visible_text import visible_text


class HtmlReader:
    """An HTML page as its reader sees it; nothing of it is run or fetched."""

    def __init__(self, read: Read, body: bytes) -> None:
        if _ends_within_a_table(body):
            raise BodyRefused("expected a whole page, was one that ends within a table")
        parser = html.HTMLParser(no_network=True, huge_tree=False, encoding=None if _declared(body) else "utf-8")
        try:
            self.root: Any = html.document_fromstring(body, parser=parser)
        except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
            raise BodyRefused(f"expected an HTML page, was {error}") from None
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
        for child in part.iterchildren("tr", "thead", "tbody", "tfoot"):
            if not (self.styles.is_gone(child) or self.styles.is_blank(child)):
                if child.tag == "tr":
                    yield child
                elif part.tag == "table":
                    yield from self._rows_of(child)

    def _cells(self, row: Any) -> list[str]:
        """The texts of the cells that take up a column."""
        cells = [cell for cell in row.iterchildren("th", "td") if not self.styles.is_gone(cell)]
        return ["" if self.styles.is_blank(cell) else visible_text(cell, self.styles) for cell in cells]


def _ends_within_a_table(body: bytes) -> bool:
    """Whether nothing ends behind the last cell; libxml2 ends it all, and half of a number is a number.

    A table in a cell of another ends before that does.
    """
    bare = body.replace(b"\0", b"").lower()  # UTF-16 too
    last_cell = max(bare.rfind(b"<td"), bare.rfind(b"<th"))
    behind = bare[last_cell:]
    if last_cell < 0 or b"</body" in behind or b"</html" in behind:
        return False
    return b"</table" not in behind or bare.count(b"<table") > bare.count(b"</table")


def _declared(body: bytes) -> bool:
    """Whether the page says how it is encoded: lxml then reads that; it would take any other page for Latin-1."""
    return b"charset" in body[:2048].lower() or body[:2] in (b"\xff\xfe", b"\xfe\xff")
