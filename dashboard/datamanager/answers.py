"""Answers of one line: what is said where there is no page."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from dashboard.gateway import rows as gateway


def line(text: str, status: int) -> HttpResponse:
    """A line of plain text."""
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")


def too_slow(seconds: float | None = None) -> str:
    """What is said of a question that was given up after so many seconds, by default those of a page."""
    text = _("That takes longer than %(seconds)d s, so it was ended: filter by the first column of an index.")
    return str(text % {"seconds": seconds or gateway.MOST_SECONDS})


def too_many_exports() -> HttpResponse:
    """An answer for whoever asks while as many files are written as may be at once."""
    return line(_("Two files are being written; ask again once one of them is done."), 503)


def said_too_slow(seconds: float | None = None) -> HttpResponse:
    """The same as an answer of its own."""
    return line(too_slow(seconds), 503)
