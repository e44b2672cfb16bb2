"""robots.txt after RFC 9309: where it cannot be had whole nothing is allowed, where there is none everything is."""

from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.http import Request, Response

from scrapers.middlewares import may_be_cut

FORBIDS_ALL = b"User-agent: *\nDisallow: /\n"


class Robots(RobotsTxtMiddleware):
    """Holds back what robots.txt forbids; in force for spiders that set ROBOTSTXT_OBEY."""

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= 500 or may_be_cut(response):
            response = response.replace(body=FORBIDS_ALL)
        elif response.status != 200:
            response = response.replace(body=b"")
        await super()._parse_robots(response, netloc, request)
