"""What a message may do with Markdown, and what it may not."""

import re
import time

import pytest
from lxml import html

from dashboard.community.plain_text import readable
from dashboard.messaging.markdown import render_markdown

ALLOWED = {"p", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "a", "br", "body", "html"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**a** *b* `c`", "<p><strong>a</strong> <em>b</em> <code>c</code></p>"),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>"),
        ("# a", "<p># a</p>"),
        ("[x](/wallets/)", '<p><a href="/wallets/" rel="noopener noreferrer nofollow">x</a></p>'),
        ("a < b & c", "<p>a &lt; b &amp; c</p>"),
    ],
)
def test_the_subset(text: str, expected: str) -> None:
    assert render_markdown(text).strip() == expected


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.example/pixel.png)",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#10;script:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](//evil.example/)",
        "[x](/\\evil.example/)",
        "<javascript:alert(1)>",
        '[x](https://a.example/"onmouseover="alert(1))',
        "```<script>\nalert(1)\n```",
        "**<svg onload=alert(1)>**",
        "&lt;script&gt;",
        "[a]: javascript:alert(1)\n\n[a]",
        "<a href='x' style='position:fixed'>x</a>",
    ],
)
def test_nothing_runs_and_nothing_is_fetched(text: str) -> None:
    page = html.document_fromstring(f"<body>{render_markdown(text)}</body>")
    assert {one.tag for one in page.iter()} <= ALLOWED
    for one in page.iter():
        assert set(one.keys()) <= {"href", "rel", "class"}
        assert re.match(r"(https?://|mailto:|/[^/\\])", one.get("href", "/x")), one.get("href")


@pytest.mark.parametrize("text", ["[" * 8000, "> " * 4000, "*a_" * 2600, "`" * 8000, "- " * 4000, "![" * 4000])
def test_a_text_that_is_made_to_be_slow_is_not(text: str) -> None:
    started = time.process_time()
    for _ in range(50):  # as many as a page shows
        render_markdown(text)
    assert time.process_time() - started < 1


def test_a_text_of_too_many_marks_is_shown_as_it_was_typed() -> None:
    assert render_markdown("*a* " * 500).count("<em>") == 500
    assert render_markdown("<b>*a*\n" * 500).startswith("<p>&lt;b&gt;*a*<br>")


def test_what_turns_the_direction_of_a_text_is_taken_out() -> None:
    assert readable("a\u202eb\u2066c\u200bd\0\x1b\r\ne\tf ") == "abcd\ne\tf"
    assert readable("co\u00adop \u2063\U000e0041\u180e") == "coop"
    persian, emoji = "\u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f4bb"  # which joiners are a part of
    assert readable(persian + emoji) == persian + emoji
    assert readable("שלום é e\u0301") == "שלום é é"
