"""XML bodies: no document types, no entities, no network."""

from typing import Any

from lxml import etree

from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line


class XmlReader:
    """An XML body; rows and fields are found by the protocol's XPath."""

    def __init__(self, read: Read, body: bytes) -> None:
        self.namespaces = dict(read.namespaces)
        if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
            raise BodyRefused("expected XML without a document type, was one that declares its own entities")
        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            recover=False,
            remove_comments=True,  # one within a number would cut it in two
            remove_pis=True,
        )
        try:
            self.root: Any = etree.fromstring(body, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise BodyRefused(f"expected XML, was {error}") from None
        if read.root and etree.QName(self.root).localname != read.root:
            raise BodyRefused(f"expected an XML document {read.root}, was {one_line(str(self.root.tag), 80)}")
        tree: Any = self.root.getroottree()
        if tree.docinfo.doctype:
            raise BodyRefused("expected XML without a document type, was one with it")

    def scalar(self, pointer: str) -> object:
        """The text at an XPath, or None."""
        return _text(self.root.xpath(pointer, namespaces=self.namespaces))

    def block(self, output: Output) -> Block:
        """The elements that are rows."""
        rows = self.root.xpath(output.rows, namespaces=self.namespaces)
        if not rows and output.parents and self.root.xpath(output.parents, namespaces=self.namespaces):
            raise BodyRefused(f"expected rows at {output.rows}, was {output.parents} with others")
        cells = {}
        for name, field in output.fields.items():
            path = etree.XPath(str(field.at), namespaces=self.namespaces)  # read once, not for each row
            cells[name] = [_text(path(row)) for row in rows]
        return Block(
            len(rows),
            cells,
            lambda i: f"{output.rows}[{i + 1}]",  # libxml2 finds a path by counting all siblings: quadratic
            lambda i: one_line(etree.tostring(rows[i], encoding="unicode", with_tail=False), 500),
        )


def _text(found: Any) -> str | None:
    """What an XPath found, as text, its white space collapsed (XML Schema 2, 4.3.6: so is that of numbers and dates).

    Several nodes are all read, a blank between them: the first half of `3.<b>9</b>5` is no number of its own.
    """
    texts = [str(node) for node in found] if isinstance(found, list) else [str(found)]
    return " ".join(" ".join(texts).split()) or None
