"""Pages with a part that the browser reads again by itself: `{% live %}` in the template, `live_page` on the view.

The part is read at the address of its page, so it has the same rights. Fifty lines of a script of ours do it: htmx
would be two thirds of the 25 kB that a page may weigh (16.5 kB zipped, 2.0.10), and to pause in a hidden tab, to keep
still while somebody is at work in the part, and to say that an answer is missing, would take such a script as well.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import quote

from csp.constants import SELF
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard.core.numbers import time_text
from strades_pipelines.settings import settings

PART_HEADER, AS_OF_HEADER = "X-Strades-Part", "X-Strades-As-Of"
SECONDS = 15
View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class LivePart:
    """The part of a page that is read again: its HTML, and what a screen reader is told when that line changes.

    `frame` goes with it: the band of the mode and the count of halts, which stand outside and must not be old.
    """

    html: SafeString
    news: str
    frame: SafeString

    @property
    def version(self) -> str:
        """An entity tag: another text has another one."""
        return f'"{hashlib.sha256((self.news + self.html + self.frame).encode()).hexdigest()[:24]}"'

    @property
    def element(self) -> SafeString:
        """The element that the script replaces."""
        return format_html(
            '<div id="live" data-version="{}" data-news="{}">{}</div>', self.version, self.news, self.html
        )


def allow_scripts(response: HttpResponse) -> HttpResponse:
    """Let a page run the script files of this host, and these ask this host; all other pages run none."""
    response._csp_replace = {"script-src": [SELF], "connect-src": [SELF]}
    return response


def with_scripts(view: View) -> View:
    """A view whose page has a script file."""

    @wraps(view)
    def respond(request: HttpRequest, *arguments: Any, **names: Any) -> HttpResponse:
        return allow_scripts(view(request, *arguments, **names))

    return respond


def live_page(view: View) -> View:
    """A view of a page with a part that is read again.

    Asked for the part, it answers with that alone, or with 304 where the browser has it already.
    """

    @wraps(view)
    def respond(request: HttpRequest, *arguments: Any, **names: Any) -> HttpResponse:
        response = view(request, *arguments, **names)
        part = getattr(request, "live_part", None)
        if part is None or response.status_code != 200:
            return response
        if request.headers.get(PART_HEADER) == "live":
            is_known = request.headers.get("If-None-Match") == part.version
            response = HttpResponseNotModified() if is_known else HttpResponse(part.element + part.frame)
            # The template showed messages in what is thrown away here: they wait for the next page that is seen.
            messages.get_messages(request).used = False
            response["ETag"] = part.version
            response[AS_OF_HEADER] = quote(time_text(settings().now()))
        # No cache may give the part for the page.
        patch_vary_headers(response, [PART_HEADER])
        return allow_scripts(response)

    return respond
