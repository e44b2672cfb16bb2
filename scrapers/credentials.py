"""The provider's key: put into a request on its way to the wire, taken out again on the way back.

Nothing above this middleware sees it: not the spiders, not the retries, not the stored row.
"""

import base64
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from scrapers.plan import Auth
from scrapers.request_url import set_url
from scrapers.spiders.base import spider_of
from strades_pipelines.settings import missing_secret, secret
from strades_pipelines.system.secret_values import remember_secret


class KeyMissing(Exception):
    """The variable that a protocol names is not set; one line."""


def read_keys(auth: Auth | None) -> list[tuple[Auth, str]]:
    """The parts of a plan's key, masked from now on in all that this process writes; none for a plan without one.

    Raises:
        KeyMissing: naming the variable.
        SettingsError: it cannot be sent.
    """
    if auth is None:
        return []
    key = secret(auth.variable)
    if key is None:
        raise KeyMissing(missing_secret(auth.variable))
    remember_secret(key)
    return [(auth, key), *read_keys(auth.second)]


class Credentials:
    """Sends the key of the plan with its requests, over https alone; robots.txt is asked for without it."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.keys: list[tuple[Auth, str]] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Add the key.

        Raises:
            IgnoreRequest: the address is not https.
        """
        # At the first request: when Scrapy makes this part, the crawler has no spider yet.
        if self.keys is None:
            self.keys = read_keys(spider_of(self.crawler).plan.auth)
        if not self.keys or "planned" not in request.meta:
            return
        if urlsplit(request.url).scheme != "https":
            raise IgnoreRequest("not asked: a key is sent over https alone")
        for auth, key in self.keys:
            if auth.place == "header":
                request.headers[auth.name] = header_value(auth, key)
            else:
                request.meta["url_without_key"] = request.url
                set_url(request, with_parameter(request.url, auth.name, key))

    def process_response(self, request: Request, response: Response) -> Response:
        """Take the key out of the address."""
        url = self._restore(request)
        return response if url is None else response.replace(url=url)

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Take the key out of the address."""
        self._restore(request)

    def _restore(self, request: Request) -> str | None:
        url: str | None = request.meta.pop("url_without_key", None)
        if url is not None:
            set_url(request, url)
        return url


def header_value(auth: Auth, key: str) -> str:
    """What the header says: the key, after its scheme where it has one; `Basic` in Base64 (RFC 7617)."""
    if auth.scheme is None:
        return key
    return f"{auth.scheme} {base64.b64encode(key.encode()).decode() if auth.scheme == 'Basic' else key}"


def with_parameter(url: str, name: str, value: str) -> str:
    """The URL with `name=value` in its query, in place of another value of that name."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))
