"""Interfaces that answer in JSON, some of them in pages."""

import json
from datetime import datetime
from typing import Any

from scrapy.http import Request, Response

from scrapers.plan import Paging, PlannedRequest
from scrapers.spiders.base import AnswerSpider
from strades_pipelines.datamanager.json_pointer import ABSENT, resolve
from strades_pipelines.datamanager.request_windows import since_epoch

MAXIMUM_PAGES = 200
LONGEST_VALUE = 100


class ApiSpider(AnswerSpider):
    """Asks for the next page as long as a page is full, or has a token for it."""

    name = "api"
    kind = "api"

    def following(self, response: Response) -> Request | None:
        """The request for the next page; None where this one is the last.

        Raises:
            ValueError: after `MAXIMUM_PAGES` pages, or where a later page is the provider's error or does not say
                what comes after it.
        """
        planned: PlannedRequest = response.meta["planned"]
        paging = planned.paging
        if paging is None:
            return None
        document, page = decoded(response.body), response.meta["page"]
        if page > 1 and (said := error_of(document, paging)):
            raise ValueError(f"page {page} is the provider's error {said}")
        if not goes_on(document, paging):
            return None
        value = number_of(page + 1, paging)
        if paging.next is not None:
            value = next_value(document, paging, response.meta["page_value"])
        if paging.unit and planned.window_end and reaches(value, planned.window_end, paging.unit):
            return None
        if page >= MAXIMUM_PAGES:
            raise ValueError(f"more than {MAXIMUM_PAGES} pages of {paging.size}: ask for a shorter window")
        return self.request_for(planned, page=page + 1, value=value)


def decoded(body: bytes) -> Any:
    """A JSON document; None for anything else, which the parser will refuse."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def goes_on(document: Any, paging: Paging) -> bool:
    """Whether a page is not the last: it is full, or has a token for the next one, however few rows it has."""
    rows = resolve(document, paging.rows)
    is_full = isinstance(rows, list) and len(rows) == paging.size
    if paging.next is None:
        return is_full
    value = resolve(document, paging.next)
    has_token = paging.unit is None and value is not ABSENT and value != ""
    return value is not None and (is_full or has_token)  # null says that this was the last one


def number_of(page: int, paging: Paging) -> str:
    """What a provider that counts asks for a page by: its number from 1, or how many rows are before it."""
    return str(page if paging.counts == "pages" else (page - 1) * paging.size)


def error_of(document: Any, paging: Paging) -> str | None:
    """What an error document says, None for any other; some come with HTTP 200, and look like an empty last page."""
    found = (resolve(document, pointer) for pointer in paging.errors)
    return next((str(one) for one in found if one is not ABSENT and one), None)


def next_value(document: Any, paging: Paging, asked: str | None) -> str:
    """What asks for the page after this one.

    Raises:
        ValueError: nothing usable stands there, or what this page was asked by, so that it would come again for ever.
    """
    found = resolve(document, str(paging.next))
    value = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    if not (0 < len(value) <= LONGEST_VALUE and value.isprintable()) or (
        paging.unit and not (value.isascii() and value.isdigit())
    ):
        raise ValueError(f"a full page of {paging.size} rows does not say at {paging.next} what comes after it")
    if value == asked:
        raise ValueError(f"more than {paging.size} rows at one {paging.param}, {value}: the pages do not go on")
    return value


def reaches(value: str, end: datetime, unit: str) -> bool:
    """Whether a time since the epoch is at or after the end of a window."""
    return int(value) >= since_epoch(end, unit)
