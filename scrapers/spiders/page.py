"""Web pages, which are made for people: what robots.txt forbids is not asked for."""

from scrapers.spiders.base import AnswerSpider


class PageSpider(AnswerSpider):
    """One request, one page."""

    name = "page"
    kind = "page"
    custom_settings = {"ROBOTSTXT_OBEY": True}  # noqa: RUF012 (Scrapy's own form)
