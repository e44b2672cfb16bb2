"""Which pages there are, by following links; what a page says, and what keeps people out of it."""

import os
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from babel.messages.pofile import read_po
from lxml import html

import dashboard

if TYPE_CHECKING:
    from playwright.sync_api import APIRequestContext, Page

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
CATALOGUE = Path(dashboard.__file__).parent / "locale" / "fr" / "LC_MESSAGES" / "django.po"
# What one loop of a template makes stands for all of it: rows of a table, days of a calendar, bars of a chart, choices.
SHORTEN = """document.querySelectorAll(
    'tbody > tr:nth-child(n+4), .list > li:nth-child(n+6), .calendar td:nth-of-type(n+5), '
    + 'svg > :is(g, rect, polygon):nth-child(n+9), option:nth-child(n+4):not(:checked)').forEach(one => one.remove())"""
# Nothing but colours depends on the theme (`test_a_theme_changes_colours_alone`), so the rules that look at colours are
# tried in each theme, all others once. Colours of the frame are those of every page: they are tried on one.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
THEMES = ["light", "dark"]
VIOLATIONS = """async ([themes, ofColours, coloured]) => {
    const options = {resultTypes: ['violations'], selectors: false, preload: false, iframes: false};
    const found = [], look = async (part, rules, theme) => {
        for (const one of (await axe.run(part, {...options, ...rules})).violations)
            found.push(...one.nodes.map(node => `${theme}: ${one.id} (${one.impact}): ${node.html.slice(0, 200)}`));
    };
    await look(document, {rules: Object.fromEntries(ofColours.map(rule => [rule, {enabled: false}]))}, 'each theme');
    for (const theme of themes) {
        document.documentElement.dataset.theme = theme;
        await look(document.querySelector(coloured), {runOnly: ofColours}, theme);
    }
    return found;
}"""
# The largest paint in milliseconds, and how much of the page moved after it was painted.
PAINTED = """() => new Promise(answer => {
    let paint = 0, shift = 0;
    new PerformanceObserver(list => list.getEntries().forEach(one => { paint = one.startTime }))
        .observe({type: 'largest-contentful-paint', buffered: true});
    new PerformanceObserver(list => list.getEntries().forEach(one => { shift += one.hadRecentInput ? 0 : one.value }))
        .observe({type: 'layout-shift', buffered: true});
    setTimeout(() => answer([paint, shift]), 60);
})"""
PHONE = {"width": 390, "height": 844}
TWO_ROWS = 113  # pixels of a toolbar: two rows of 44, three gaps of 8, a line
# What is halted may have a row of its own.
TOOLBAR_HEIGHT = """(() => { const bar = document.querySelector('.frame .bar');
    return bar ? bar.offsetHeight - (bar.querySelector('.chip.danger') ? 39 : 0) : 0; })()"""
CUT = "[...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
MOST_SHIFT = 0.05
LARGEST_PICTURE = 60_000  # bytes
# What people wrote and what programs are called is the same in every language.
TEXTS = """() => {
    const MARKED = "code, pre, .id, [translate=no], [lang]:not(html)";
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const one = walker.currentNode;
        if (one.textContent.trim() && !one.parentElement.closest(MARKED))
            found.push(one.textContent.trim().replace(/\\s+/g, ' '));
    }
    const said = [...document.querySelectorAll('[title], [aria-label], [placeholder]')];
    return found.concat(said.filter(one => !one.closest(MARKED)).flatMap(one =>
        ['title', 'aria-label', 'placeholder'].map(name => one.getAttribute(name) || '').filter(Boolean)));
}"""


def crawl(
    browser: "APIRequestContext", url: str, starts: tuple[str, ...], without: frozenset[str]
) -> tuple[dict[str, str], set[str]]:
    """Follow links from `starts`; an address for each URL by its name, and the names of those that are posted to.

    Args:
        browser: who asks, with its cookies.
        without: the names of URLs that are not opened.
    """
    from django.urls import Resolver404, resolve

    def name_of(address: str) -> str:
        try:
            return str(resolve(urlsplit(address).path).url_name)
        except Resolver404:
            return ""

    found: dict[str, str] = {}
    posted: set[str] = set()
    waiting = list(starts)
    while waiting:
        address = waiting.pop(0)
        name = name_of(address)
        if name in found or name in without:
            continue
        answer = browser.get(url + address)
        if not name or "text/html" not in answer.headers["content-type"]:
            posted.add(name)  # a file, which is no page
            continue
        assert answer.ok, (answer.status, address)
        found[name] = urlsplit(answer.url)._replace(scheme="", netloc="", fragment="").geturl()
        page = html.fromstring(answer.text())
        for form in page.iter("form"):
            if form.get("method", "").lower() == "post":
                posted.add(name_of(urljoin(address, form.get("action", ""))))
        links = (urljoin(address, link.get("href", "")) for link in page.iter("a"))
        waiting += [link for link in links if link.startswith("/")]
    return found, posted


def violations(page: "Page", *, has_known_frame: bool = False) -> list[str]:
    """What axe-core finds on a page in both themes, at any impact.

    Args:
        has_known_frame: the colours around the content were tried on another page.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    coloured = "main" if has_known_frame else "html"
    found: list[str] = page.evaluate(VIOLATIONS, [THEMES, OF_COLOURS, coloured])
    return found


@cache
def english() -> frozenset[str]:
    """What only an English page says: texts of the catalogue, split at their figures, that French says otherwise."""
    with CATALOGUE.open("rb") as text:
        catalogue = read_po(text, locale="fr")
    french = " ".join(str(message.string) for message in catalogue if message.id)
    return frozenset(part for message in catalogue if message.id for part in _parts(message.id) if part not in french)


def _parts(texts: Any) -> Iterator[str]:
    for text in texts if isinstance(texts, tuple) else (texts,):
        for part in re.split(r"%\(\w+\)s|%%|\n", text):
            if len(part.split()) >= 2 or (part == text and len(part) > 3):
                yield part.strip(" .,:;·()")


def left_in_english(page: "Page") -> list[str]:
    """The texts of a French page that are English ones of the catalogue."""
    known = english()
    long = [text for text in known if len(text.split()) >= 3]
    return [
        text for text in page.evaluate(TEXTS) if text.strip(" .,:;·()") in known or any(part in text for part in long)
    ]


def look(desk: "Page", phone: "Page", path: str, *, has_known_frame: bool) -> tuple[list[str], float]:
    """What is wrong with a page that both opened, in English on a desk and in French on a phone; its paint in ms."""
    paint, shift = desk.evaluate(PAINTED)
    found = [f"{shift:.2f} of the page moves"] * (shift > MOST_SHIFT)
    found += ["a table is cut at 1280"] * (desk.evaluate(CUT) > 0 and not path.startswith("/data/"))
    screenshots(desk, path, "light", "dark")
    width = phone.evaluate("document.documentElement.scrollWidth")
    found += [f"{width} wide on a phone"] * (width > PHONE["width"])
    height = phone.evaluate(TOOLBAR_HEIGHT)
    found += [f"toolbar {height} high on a phone"] * (height > TWO_ROWS)
    found += [f"English: {text}" for text in left_in_english(phone)]
    screenshots(phone, path, "phone")
    for language, page in (("en", desk), ("fr", phone)):
        assert page.get_attribute("html", "lang") == language
        page.evaluate(SHORTEN)
        found += [f"{language}, {one}" for one in violations(page, has_known_frame=has_known_frame)]
    return [f"{path}: {one}" for one in found], paint


def picture_for_docs(page: "Page", name: str, *, begins_at: str = "body") -> None:
    """Where STRADES_DOCS_PICTURES names a folder, keep what a desk shows of a page, in light colours and few of them.

    64 colours make it a third as large as the browser's file; no picture of `docs/` has 60 kB.
    """
    folder = os.environ.get("STRADES_DOCS_PICTURES")
    if folder:
        from PIL import Image

        page.evaluate("document.documentElement.dataset.theme = 'light'")
        page.evaluate(f"document.querySelector('{begins_at}').scrollIntoView()")
        whole = Image.open(BytesIO(page.screenshot())).convert("RGB")
        path = Path(folder) / f"{name}.png"
        whole.quantize(64).save(path, optimize=True)
        assert path.stat().st_size < LARGEST_PICTURE, f"{path} has {path.stat().st_size} bytes"


def screenshots(page: "Page", path: str, *kinds: str) -> None:
    """Where STRADES_SCREENSHOTS names a folder, take a picture of a page in each theme, or of a phone."""
    folder = os.environ.get("STRADES_SCREENSHOTS")
    for kind in kinds if folder else ():
        page.evaluate(f"document.documentElement.dataset.theme = '{kind if kind == 'dark' else 'light'}'")
        name = re.sub(r"\W+", "_", path).strip("_") or "today"
        page.screenshot(path=f"{folder}/{name[:60]}.{kind}.png", full_page=True)
