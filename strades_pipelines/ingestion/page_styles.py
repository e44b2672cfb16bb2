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

from strades_pipelines.ingestion.hiding_classes import hides
from strades_pipelines.ingestion.verdicts import BodyRefused

Declarations = dict[str, str]
Rank = tuple[bool, tuple[int, int, int], int]
BEYOND_THE_SCREEN = r"-[0-9]{3,}.*"
FAR_BEYOND_THE_SCREEN = r"-([0-9]{4,}|[0-9]{3}r?em).*"  # not -100%, with which columns are put beside each other
NOTHING = r"(0+(\.0*)?|\.0+)"
NO_COLOUR = (
    rf"transparent|#[0-9a-f]{{3}}0|#[0-9a-f]{{6}}00|[a-z]+\(([^,/\s]+[\s,]+){{2}}[^,/\s]+\s*[,/]\s*{NOTHING}%?\s*\)"
)
# By property, the values with which an element takes no room, or lies where nobody sees it, or is struck out.
GONE = {
    "display": r"none",
    "content-visibility": r"hidden",
    "clip": r"rect\(\s*[01](px)?[\s,].*",
    "clip-path": r"(inset\((50|100)%|circle\(0|polygon\((0(px|%)?[\s,]*)+\)).*",
    "transform": rf".*(scale([xy]|3d)?\(\s*{NOTHING}\s*[,)]|translate([xy]|3d)?\(\s*{FAR_BEYOND_THE_SCREEN}).*",
    "scale": NOTHING,
    "text-indent": BEYOND_THE_SCREEN,
    **dict.fromkeys(("top", "right", "bottom", "left"), BEYOND_THE_SCREEN),
    **dict.fromkeys(("margin-top", "margin-left"), FAR_BEYOND_THE_SCREEN),
    "text-decoration": r".*line-through.*",
    "text-decoration-line": r".*line-through.*",
}
# And those with which it takes its room and shows nothing.
BLANK = {
    "visibility": r"hidden|collapse",
    "opacity": rf"{NOTHING}%?",
    "filter": rf".*opacity\(\s*{NOTHING}%?\s*\).*",
    "font-size": rf"{NOTHING}[a-z%]*",
    "color": NO_COLOUR,
    "-webkit-text-fill-color": NO_COLOUR,
}
SIZES = ("width", "height", "max-height")  # not max-width: with 0 of it, a cell cuts its text at the column's end
NO_SIZE = re.compile(rf"{NOTHING}[a-z%]*|1(px)?")
CUTS = ("overflow-x", "overflow-y")
CUT = re.compile(r"hidden|clip|auto|scroll")
SHORTHANDS = ("font", "inset", "margin", "overflow")
FONT_SIZE = re.compile(r"(?:^|\s)(0|[0-9.]+[a-z%]+)(?=[/\s])")
PROPERTIES = frozenset((*GONE, *BLANK, *SIZES, *CUTS))
# With what a page shows as struck out, since it holds no longer (HTML 4.5.5, 4.7.2), and what it writes above the line.
NEVER_SHOWN = frozenset(
    (
        *("script", "style", "template", "noscript", "noembed", "noframes", "datalist", "head", "title"),
        *("iframe", "canvas", "audio", "video", "progress", "meter", "annotation", "annotation-xml"),
        *("rp", "rt", "del", "s", "strike"),
    )
)
NEVER_SHOWN_IN_SVG = frozenset(("desc", "defs", "metadata", "symbol", "clippath", "mask", "pattern", "marker"))
PUNCTUATION = re.compile(r"([{};])")
APPLIES = re.compile(r"@(layer\b|supports(?!\s+not\b)).*", re.DOTALL | re.IGNORECASE)
SCREEN = 1920  # wide, px: all that is for larger screens than a telephone's is shown
PIXELS = {"px": 1, "em": 16, "rem": 16, "": 1}
MEDIA_TYPE = re.compile(r"(?:(not)\s+|only\s+)?(all|screen|print|speech|tv|projection|handheld)(?:\s+and\s+(.*))?")
WIDTH = re.compile(r"\(\s*(min-width\s*:|max-width\s*:|width\s*[<>]=?)\s*([0-9]*\.?[0-9]+)(px|r?em|)\s*\)")
MOST_SELECTORS = 5_000
LONGEST_VALUE = 100
LONGEST_MEDIA = 1_000


class PageStyles:
    """The properties that hide, as each element of a page has them."""

    def __init__(self, root: Any) -> None:
        self._found: dict[Any, dict[str, tuple[Rank, str]]] = {}
        rules = list(_rules(root))
        hiding = {name for _, said in rules for name, value in said.items() if _may_hide(name, value)}
        rules = [(selectors, {name: said[name] for name in said if name in hiding}) for selectors, said in rules]
        rules = [rule for rule in rules if rule[1]]
        # Each selector is looked for in the whole page, and a hostile sheet can have any number of them.
        if sum(selectors.count(",") + 1 for selectors, _ in rules) > MOST_SELECTORS:
            raise BodyRefused(f"expected at most {MOST_SELECTORS} selectors of styles that hide or show, was more")
        for number, (selectors, declarations) in enumerate(rules):
            self._apply(root, selectors, declarations, number)

    def is_gone(self, element: Any) -> bool:
        """Whether the element takes no room on the page, or lies outside of what is seen."""
        if element.tag in NEVER_SHOWN or _is_unseen_part(element):
            return True
        style = self._style(element)
        if "display" not in style and _says_hidden(element):
            return True
        if any(NO_SIZE.fullmatch(style.get(name, "")) for name in SIZES) and any(
            CUT.fullmatch(style.get(name, "")) for name in CUTS
        ):
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
                    # `<=`: of equal rank the later rule is in force.
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
    sheets = [sheet for sheet in root.iter("style") if _is_for_screens(sheet.get("media") or "all")]
    for sheet in sheets:
        pieces = PUNCTUATION.split(_without_comments(sheet.text or ""))
        applies: list[bool] = []  # of each block that is open; a rule's own declarations end at its closing brace
        rule: str | None = None
        # `strict=False`: the text behind the last brace has no mark.
        for head, mark in zip(map(str.strip, pieces[::2]), pieces[1::2], strict=False):
            if mark == "{":
                applies.append(_is_in_force(head))
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


def _is_in_force(head: str) -> bool:
    """Whether what stands before a block, a selector or an at-rule, lets it count."""
    if head[:6].lower() == "@media":
        return _is_for_screens(head[6:])
    return not head.startswith("@") or APPLIES.fullmatch(head) is not None


def _is_for_screens(media: str) -> bool:
    """Whether one of the media queries holds for a large screen; of conditions, only those of its width do."""
    return any(_holds(query.strip().lower()) for query in media[:LONGEST_MEDIA].split(","))


def _holds(query: str) -> bool:
    typed = MEDIA_TYPE.fullmatch(query)
    negated, medium, conditions = typed.groups() if typed else (None, "all", query)
    widths = [WIDTH.fullmatch(condition.strip()) for condition in conditions.split(" and ")] if conditions else []
    if None in widths:
        return False  # a reader may have set it, or not
    holds = medium in ("all", "screen") and all(width is not None and _is_wide(width) for width in widths)
    return holds != bool(negated)


def _is_wide(width: re.Match[str]) -> bool:
    bound = float(width[2]) * PIXELS[width[3]]
    return bound <= SCREEN if width[1].startswith("min") or ">" in width[1] else bound >= SCREEN


def _without_comments(sheet: str) -> str:
    first, *others = sheet.replace("<!--", " ").replace("-->", " ").split("/*")
    return " ".join([first, *(part.partition("*/")[2] for part in others)])


def _may_hide(name: str, value: str) -> bool:
    """Whether a declaration hides, with others perhaps, or (any `display`) puts an element on a line of its own."""
    plain, _ = _without_important(value)
    if name in SIZES:
        return NO_SIZE.fullmatch(plain) is not None
    if name in CUTS:
        return CUT.fullmatch(plain) is not None
    return name == "display" or _has_value_of({name: plain}, GONE | BLANK)


def _declarations(text: str) -> Declarations:
    said: Declarations = {}
    for part in text.split(";"):
        name, value = (side.strip().lower() for side in (part + ":").split(":", 2)[:2])
        if 0 < len(value) <= LONGEST_VALUE:
            said |= _longhands(name, value) if name in SHORTHANDS else {name: value} if name in PROPERTIES else {}
    return said


def _longhands(name: str, value: str) -> Declarations:
    """What a shorthand says of the properties that hide; what it does not say, it takes back."""
    plain, important = _without_important(value)
    mark = " !important" if important else ""
    if name == "font":
        size = FONT_SIZE.search(plain)
        return {"font-size": (size[1] if size else "medium") + mark}
    if name == "overflow":
        values = plain.split() or [""]
        return {"overflow-x": values[0] + mark, "overflow-y": values[-1] + mark}
    top, *others = plain.split() or [""]
    right = others[0] if others else top
    left = others[2] if len(others) > 2 else right
    bottom = others[1] if len(others) > 1 else top
    prefix = "margin-" if name == "margin" else ""
    sides = {"top": top, "right": right, "bottom": bottom, "left": left}
    longhands = {prefix + side: length + mark for side, length in sides.items()}
    return {side: length for side, length in longhands.items() if side in PROPERTIES}


def _without_important(value: str) -> tuple[str, bool]:
    plain, mark, _ = value.partition("!")
    return plain.strip(), bool(mark)


def _has_value_of(style: Declarations, hiding: dict[str, str]) -> bool:
    return any(re.fullmatch(hiding[name], value) for name, value in style.items() if name in hiding)


def _says_hidden(element: Any) -> bool:
    """Whether the element is hidden by an attribute or a class, unless a style shows it."""
    if element.get("hidden") is not None or element.get("popover") is not None:
        return True
    return hides((element.get("class") or "").split())


def _is_unseen_part(element: Any) -> bool:
    """Whether the element is shown only where a script opens it, or what it holds stands in for what it shows."""
    if element.tag == "dialog":
        return element.get("open") is None
    if element.tag == "object":
        return element.get("data") is not None
    return element.tag in NEVER_SHOWN_IN_SVG and next(element.iterancestors("svg"), None) is not None
