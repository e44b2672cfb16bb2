"""The end of a spider's work: every answer into the store, or the crawl ends."""

import logging
from dataclasses import replace
from typing import Self

import psycopg
from scrapy.crawler import Crawler

from scrapers.answers import Answer
from scrapers.redaction import one_line
from scrapers.spiders.base import spider_of

logger = logging.getLogger(__name__)


class KeepAnswers:
    """Hands each answer to the crawl's store. A failing database ends the crawl: nothing is fetched to be dropped.

    An answer that cannot be stored fails alone.
    """

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy."""
        return cls(crawler)

    def process_item(self, item: Answer) -> Answer:
        """Store one answer."""
        spider = spider_of(self.crawler)
        if spider.crawl_stats.fatal is None:
            try:
                spider.store.keep(item)
            except (psycopg.DataError, ValueError) as error:  # of this answer alone: a text that no column holds
                reason = f"cannot store this answer: {one_line(str(error))}"
                logger.warning(reason)
                spider.store.give_up(replace(item, outcome="failed", headers=None, body=b"", error=reason))
            except psycopg.Error as error:
                spider.crawl_stats.fatal = f"cannot store what was fetched: {one_line(str(error))}"
                logger.error(spider.crawl_stats.fatal)
                assert self.crawler.engine is not None
                self.crawler.engine.close_spider(spider, "database")
        return item
