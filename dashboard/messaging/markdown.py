"""The Markdown that messages may have, as HTML that can be trusted.

The parser begins with nothing and knows what is enabled here: emphasis, code, lists, quotes, links. HTML is text to it,
there are no images, and a link leads to the web, to a mail address or into this installation.
"""

from functools import cache
from typing import Any

from django.template.defaultfilters import linebreaks_filter
from django.utils.safestring import SafeString, mark_safe

RULES = ("emphasis", "backticks", "fence", "list", "blockquote", "link", "autolink", "escape", "newline")
# Of these letters in one text: the parser looks from each bracket for its end, which takes the square of their number.
# A page shows fifty messages and is read again every 15 seconds; with more of them a text is shown as it was typed.
MARKS, MOST_MARKS = frozenset("[*_`<!"), 1000
SCHEMES = ("https://", "http://", "mailto:")


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt  # some 20 ms, of the first message alone

    parser = MarkdownIt("zero", {"html": False, "linkify": False, "typographer": False, "breaks": True})
    parser.enable(list(RULES))
    parser.validateLink = _leads_somewhere  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _open_link)
    return parser


def _leads_somewhere(url: str) -> bool:
    # `//` and `/\\` lead a browser to another host.
    is_own = url.startswith("/") and not url.startswith(("//", "/\\"))
    return is_own or url.lower().startswith(SCHEMES)


def _open_link(self: Any, tokens: Any, index: int, options: Any, environment: Any) -> str:
    # The page is told nothing of where its reader came from, and search engines are told to give no weight.
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return str(self.renderToken(tokens, index, options, environment))


def render_markdown(text: str) -> SafeString:
    """The HTML of a text; what is not among RULES is shown as it was typed, and so is one of more than MOST_MARKS."""
    if sum(letter in MARKS for letter in text) > MOST_MARKS:
        return linebreaks_filter(text)
    return mark_safe(_parser().render(text))
