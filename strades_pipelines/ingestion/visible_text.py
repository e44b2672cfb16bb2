"""The text of an HTML element as a reader sees it: nothing hidden, no footnote marks, a blank where a line ends."""

import re
from typing import Any

from lxml import etree

from strades_pipelines.ingestion.page_styles import PageStyles

TABLE_LINES = ("table", "caption", "tr", "td", "th", "ul", "ol", "li", "dl", "dt", "dd")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
TEXT_LINES = ("br", "hr", "p", "div", "section", "article", "blockquote", "pre", "details", "summary")
BOXES = ("option", "object")  # what an <object> without data holds may be seen, or not
LINES = frozenset((*TABLE_LINES, *HEADINGS, *TEXT_LINES, *BOXES))
REFERENCE_NAMES = frozenset(("reference", "footnote", "footnote-ref", "footnoteref", "noteref", "fn", "fnref"))
REFERENCE_LINK = re.compile(r"#_?(f(t|oot)?n|note|cite|ref)", re.IGNORECASE)
BRACKETED = re.compile(r"\[[^\[\]]{1,9}\]|\([^()]{1,9}\)")
SIGN_OR_LETTER = re.compile(r"[^\w\s]+|[a-zA-Z]", re.ASCII)
DIGIT_BEFORE = re.compile(r"[0-9][.,'\u2019\s]*$")
MILLIONS_BEFORE = re.compile(r"(?:^|\s)[+-]?[0-9]{1,3}([,.'])[0-9]{3}(?:\1[0-9]{3})+$", re.ASCII)


def visible_text(node: Any, styles: PageStyles) -> str:
    """The text of an element, or of an attribute, its blanks (no-break ones too) made single.

    The element itself is taken for visible. A number set high may be a footnote, an exponent, cents, or the pips of a
    rate: it stays, after a ^, so that the cell is no number.
    """
    if isinstance(node, str):
        return " ".join(node.split())
    if not len(node):
        return " ".join((node.text or "").split())
    parts: list[str] = []
    open_elements: list[tuple[bool, str]] = []  # whether its text is seen, and what parts it from the text after it
    walk = etree.iterwalk(node, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        if event == "start":
            within = not open_elements or (open_elements[-1][0] and not styles.is_blank(element))
            taken_out = bool(open_elements) and (styles.is_gone(element) or _is_reference(element))
            line = " " if not taken_out and (element.tag in LINES or styles.is_block(element)) else ""
            open_elements.append((within, line))
            text = _own_text(element, "".join(parts[-4:]))
            if taken_out or text is not None:
                walk.skip_subtree()
            if within and not taken_out:
                parts += filter(None, (line, element.text if text is None else text))
            continue
        if event == "end":
            parts += filter(None, (open_elements.pop()[1],))
        if open_elements and open_elements[-1][0]:
            parts += filter(None, (element.tail,))
    return " ".join("".join(parts).split())


def _is_reference(element: Any) -> bool:
    """Whether the element is a footnote's mark by its name, or is set high and holds a link."""
    names = {*(element.get("class") or "").lower().split(), (element.get("role") or "").removeprefix("doc-")}
    if not REFERENCE_NAMES.isdisjoint(names):
        return True
    if element.tag == "a":
        return REFERENCE_LINK.match(element.get("href") or "") is not None
    return element.tag == "sup" and element.find(".//a") is not None


def _own_text(element: Any, before: str) -> str | None:
    """What is read of the whole of a <sub>, a <sup> or a closed <details>; None of any other element."""
    if element.tag == "sub":
        text = "".join(element.itertext())
        return f"_{text}" if text.strip().isdigit() else text  # a mark, an index: in any case not of the number
    if element.tag == "sup":
        return _raised("".join(element.itertext()), before)
    if element.tag == "details" and element.get("open") is None:
        return "".join(text for summary in element.iterchildren("summary") for text in summary.itertext())
    return None


def _raised(text: str, before: str) -> str:
    """What is read of a <sup> without a link: nothing of a footnote's mark, else its text."""
    mark = text.strip()
    if not mark or SIGN_OR_LETTER.fullmatch(mark) or BRACKETED.fullmatch(mark):
        return ""
    if not (mark.isascii() and mark.isdigit()):
        return text
    is_footnote = not DIGIT_BEFORE.search(before) or (len(mark) == 1 and MILLIONS_BEFORE.search(before))
    return "" if is_footnote else f"^{mark}"
