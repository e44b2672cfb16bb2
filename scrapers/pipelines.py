"""The end of a spider's work: every answer into the store, or the crawl ends."""

import logging
from typing import Self

import psycopg
from scrapy.crawler import Crawler

from scrapers.answers import Answer
from scrapers.redaction import one_line
from scrapers.spiders.base import spider_of

logger = logging.getLogger(__name__)


class KeepAnswers:
    """Hands each answer to the crawl's store. A failing database ends the crawl: nothing is fetched to be dropped."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy."""
        return cls(crawler)

    def process_item(self, item: Answer) -> Answer:
        """Store one answer."""
        spider = spider_of(self.crawler)
        if spider.chronicle.fatal is None:
            try:
                spider.store.keep(item)
            except psycopg.Error as error:
                spider.chronicle.fatal = f"cannot store what was fetched: {one_line(str(error))}"
                logger.error(spider.chronicle.fatal)
                assert self.crawler.engine is not None
                self.crawler.engine.close_spider(spider, "database")
        return item
