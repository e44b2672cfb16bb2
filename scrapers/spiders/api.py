"""Interfaces that answer in JSON, some of them in pages."""

import json

from scrapy.http import Request, Response

from scrapers.plan import PlannedRequest
from scrapers.spiders.base import AnswerSpider

MAXIMUM_PAGES = 200


class ApiSpider(AnswerSpider):
    """Asks for the next page as long as a page is full."""

    name = "api"
    kind = "api"

    def following(self, response: Response) -> Request | None:
        """The request for the next page where this one is a full JSON array; None where it is the last or no array.

        Raises:
            ValueError: after `MAXIMUM_PAGES` full pages.
        """
        planned: PlannedRequest = response.meta["planned"]
        if planned.paging is None or elements(response.body) != planned.paging.size:
            return None
        page: int = response.meta["page"]
        if page >= MAXIMUM_PAGES:
            raise ValueError(f"more than {MAXIMUM_PAGES} pages of {planned.paging.size}: ask for a shorter window")
        return self.request_for(planned, page=page + 1)


def elements(body: bytes) -> int | None:
    """How many elements a JSON array has; None for anything else, which the parser will refuse."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return len(document) if isinstance(document, list) else None
