"""Which elements of an HTML page its style sheets and attributes keep from the reader.

Only what is in the page: no linked style sheet is fetched, so class names that always hide count by their names. The
cascade is that of CSS 2.2 (https://www.w3.org/TR/CSS22/cascade.html#cascading-order), for the properties that hide.
"""

import re
from collections.abc import Iterator
from typing import Any

from cssselect import ExpressionError, HTMLTranslator, SelectorSyntaxError
from cssselect import parse as parse_selectors
from lxml import etree

from strades_pipelines.ingestion.verdicts import BodyRefused

Declarations = dict[str, str]
Rank = tuple[bool, tuple[int, int, int], int]
LENGTH_BEYOND_THE_SCREEN = r"-[0-9]{3,}.*"
# By property, the values with which an element takes no room, or lies where nobody sees it.
GONE = {
    "display": r"none",
    "content-visibility": r"hidden",
    "clip": r"rect\(\s*[01](px)?[\s,].*",
    "clip-path": r"(inset\((50|100)%|circle\(0).*",
    "text-indent": LENGTH_BEYOND_THE_SCREEN,
    "left": LENGTH_BEYOND_THE_SCREEN,
    "right": LENGTH_BEYOND_THE_SCREEN,
    "top": LENGTH_BEYOND_THE_SCREEN,
}
# And those with which it takes its room and shows nothing.
BLANK = {
    "visibility": r"hidden|collapse",
    "opacity": r"0*\.?0+%?",
    "font-size": r"0+(\.0+)?[a-z%]*",
    "color": r"transparent",
}
SIZES = ("width", "height", "max-height")  # not max-width: with 0 of it, a cell cuts its text at the column's end
NO_SIZE = re.compile(r"[01](px)?")
PROPERTIES = frozenset((*GONE, *BLANK, *SIZES, "overflow"))
HIDING_CLASSES = frozenset(
    (
        "hidden",
        "hide",
        "is-hidden",
        "d-none",
        "sr-only",
        "visually-hidden",
        "visuallyhidden",
        "screen-reader-text",
        "screen-reader-only",
        "element-invisible",
        "offscreen",
        "sortkey",
        "sort-key",
    )
)
SHOWN_ON_SOME_SCREENS = re.compile(r"d-(sm|md|lg|xl|xxl)-(?!none).+|(sm|md|lg|xl|2xl):(?!hidden).+")
# With what a page shows as struck out, since it holds no longer (HTML 4.5.5, 4.7.2), and what it writes above the line.
NEVER_SHOWN = frozenset(
    (
        "script",
        "style",
        "template",
        "noscript",
        "datalist",
        "head",
        "title",
        "iframe",
        "canvas",
        "audio",
        "video",
        "rp",
        "rt",
        "del",
        "s",
        "strike",
    )
)
PUNCTUATION = re.compile(r"([{};])")
APPLIES = re.compile(r"@(layer|supports)\b.*|@media\s+(screen|all)\s*", re.DOTALL | re.IGNORECASE)
MOST_SELECTORS = 5_000
LONGEST_VALUE = 100


class PageStyles:
    """The properties that hide, as each element of a page has them."""

    def __init__(self, root: Any) -> None:
        self._found: dict[Any, dict[str, tuple[Rank, str]]] = {}
        rules = list(_rules(root))
        hiding = {name for _, said in rules for name, value in said.items() if _may_hide(name, value)}
        rules = [(selectors, {name: said[name] for name in said if name in hiding}) for selectors, said in rules]
        rules = [rule for rule in rules if rule[1]]
        if sum(selectors.count(",") + 1 for selectors, _ in rules) > MOST_SELECTORS:
            raise BodyRefused(f"expected at most {MOST_SELECTORS} selectors of styles that hide or show, was more")
        for number, (selectors, declarations) in enumerate(rules):
            self._apply(root, selectors, declarations, number)

    def is_gone(self, element: Any) -> bool:
        """Whether the element takes no room on the page, or lies outside of what is seen."""
        if element.tag in NEVER_SHOWN or (element.tag == "dialog" and element.get("open") is None):
            return True
        style = self._style(element)
        if "display" not in style and (element.get("hidden") is not None or _is_named_hidden(element)):
            return True
        if style.get("overflow") == "hidden" and any(NO_SIZE.fullmatch(style.get(name, "")) for name in SIZES):
            return True
        return _has_value_of(style, GONE)

    def is_blank(self, element: Any) -> bool:
        """Whether the element takes its room and shows nothing."""
        named = "invisible" in (element.get("class") or "").split()
        return named or _has_value_of(self._style(element), BLANK)

    def is_block(self, element: Any) -> bool:
        """Whether the element begins a line of its own by its style."""
        return self._style(element).get("display") in ("block", "flex", "grid", "list-item", "table")

    def _apply(self, root: Any, selectors: str, declarations: Declarations, number: int) -> None:
        try:
            parsed = parse_selectors(selectors)
        except SelectorSyntaxError:
            return
        for selector in parsed:
            try:
                path = HTMLTranslator().selector_to_xpath(selector)
                elements = root.xpath(path) if selector.pseudo_element is None else []
            except (ExpressionError, etree.XPathError):  # a pseudo-class that cannot be said in XPath, such as :has
                continue
            for element in elements:
                style = self._found.setdefault(element, {})
                for name, value in declarations.items():
                    plain, important = _without_important(value)
                    rank = important, selector.specificity(), number
                    if name not in style or style[name][0] <= rank:
                        style[name] = rank, plain

    def _style(self, element: Any) -> Declarations:
        """From the style sheets, then the element's own `style`, which goes before all that is not `!important`."""
        ranked, own = self._found.get(element, {}), element.get("style")
        if own is None and not ranked:  # most cells of most pages
            return {}
        style = {name: value for name, (_, value) in ranked.items()}
        for name, value in _declarations(own or "").items():
            plain, important = _without_important(value)
            if important or name not in ranked or not ranked[name][0][0]:
                style[name] = plain
        return style


def _rules(root: Any) -> Iterator[tuple[str, Declarations]]:
    """Selectors and declarations of the style rules of a page that hide or show, in their order."""
    sheets = [sheet for sheet in root.iter("style") if (sheet.get("media") or "all").lower() in ("all", "screen")]
    for sheet in sheets:
        pieces = PUNCTUATION.split(_without_comments(sheet.text or ""))
        applies: list[bool] = []  # of each block that is open; a rule's own declarations end at its closing brace
        rule: str | None = None
        for head, mark in zip(map(str.strip, pieces[::2]), pieces[1::2], strict=False):
            if mark == "{":
                applies.append(not head.startswith("@") or APPLIES.fullmatch(head) is not None)
                rule = None if head.startswith("@") else head
                body: list[str] = []
            elif rule is not None and applies:
                body.append(head)
                if mark == "}":
                    declarations = _declarations(";".join(body))
                    if declarations and all(applies):
                        yield rule, declarations
                    rule = None
                    applies.pop()
            elif mark == "}" and applies:
                applies.pop()


def _without_comments(sheet: str) -> str:
    first, *others = sheet.replace("<!--", " ").replace("-->", " ").split("/*")
    return " ".join([first, *(part.partition("*/")[2] for part in others)])


def _may_hide(name: str, value: str) -> bool:
    """Whether a declaration hides, with others perhaps, or (any `display`) puts an element on a line of its own."""
    plain, _ = _without_important(value)
    if name in SIZES:
        return NO_SIZE.fullmatch(plain) is not None
    return name == "display" or (name, plain) == ("overflow", "hidden") or _has_value_of({name: plain}, GONE | BLANK)


def _declarations(text: str) -> Declarations:
    pairs = (part.partition(":") for part in text.split(";"))
    said = {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
    return {name: value for name, value in said.items() if name in PROPERTIES and 0 < len(value) <= LONGEST_VALUE}


def _without_important(value: str) -> tuple[str, bool]:
    plain, mark, _ = value.partition("!")
    return plain.strip(), bool(mark)


def _has_value_of(style: Declarations, hiding: dict[str, str]) -> bool:
    return any(re.fullmatch(hiding[name], value) for name, value in style.items() if name in hiding)


def _is_named_hidden(element: Any) -> bool:
    names = (element.get("class") or "").split()
    return not HIDING_CLASSES.isdisjoint(names) and not any(map(SHOWN_ON_SOME_SCREENS.fullmatch, names))
