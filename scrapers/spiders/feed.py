"""Feeds: one document of new items, polled."""

from scrapers.spiders.base import AnswerSpider


class FeedSpider(AnswerSpider):
    """One conditional request with the plan's etag and date: an unchanged feed is not sent again."""

    name = "feed"
    kind = "feed"
