"""Whole files: zips, CSVs, XML documents, served where they lie."""

from scrapers.spiders.base import AnswerSpider


class FileSpider(AnswerSpider):
    """One request, one body."""

    name = "file"
    kind = "file"
