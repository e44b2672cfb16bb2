"""Feeds: one document with what is new, asked for again and again."""

from scrapers.spiders.base import AnswerSpider


class FeedSpider(AnswerSpider):
    """One request, one body; the plan's etag and date make it conditional, so that an unchanged feed is not sent."""

    name = "feed"
    kind = "feed"
