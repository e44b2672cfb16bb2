"""Scrapy's settings for one crawl: what the plan asks for, and only those of Scrapy's parts that it needs."""

from typing import Any

from scrapers.plan import Plan
from strades_pipelines.settings import settings

BUILTIN = "scrapy.downloadermiddlewares"
HTTP_HANDLER = "scrapers.download_handler.BoundedDownloadHandler"


def crawl_settings(plan: Plan) -> dict[str, Any]:
    """The settings of a crawl of `plan` in this world.

    The `_BASE` settings name the parts in full: a part that is only switched off is imported all the same, which
    takes half a second, and one of those parts would open a port.
    """
    return {
        "USER_AGENT": plan.user_agent,
        "DEFAULT_REQUEST_HEADERS": {"Accept": "*/*"},
        "CONCURRENT_REQUESTS": plan.rate.concurrency,  # those that wait count too: who asked for a pause gets it
        "CONCURRENT_REQUESTS_PER_DOMAIN": plan.rate.concurrency,
        "DOWNLOAD_DELAY": 0.0,  # `RetryAndRedirect` spaces requests, of all processes together
        "DOWNLOAD_TIMEOUT": plan.timeout_seconds,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_HANDLERS_BASE": {"http": HTTP_HANDLER, "https": HTTP_HANDLER},
        "DOWNLOADER_MIDDLEWARES_BASE": downloader_middlewares(),
        "SPIDER_MIDDLEWARES_BASE": {
            "scrapy.spidermiddlewares.start.StartSpiderMiddleware": 25
        },  # first come, first asked
        "EXTENSIONS_BASE": {},
        "ITEM_PIPELINES": {"scrapers.pipelines.KeepAnswers": 100},
        "TELNETCONSOLE_ENABLED": False,
        "STATS_DUMP": False,
        "LOG_ENABLED": False,  # logging is set up by __main__
        "LOG_INSTALL_ROOT_HANDLER": False,
        "LOG_VERSIONS": [],
    }


def downloader_middlewares() -> dict[str, int]:
    """What lies between a spider (low numbers) and the wire (high ones).

    robots.txt is obeyed for pages (`scrapers.spiders.page`); the other kinds are interfaces made for programs. Scrapy's
    own retry and redirect are replaced: ours wait as long as they are told to, and stay on the host. The sandbox
    redirection exists in world `sandbox` only; there, no proxy: it could not reach this machine's loopback.
    """
    common = {
        "scrapers.robots.Robots": 100,
        f"{BUILTIN}.downloadtimeout.DownloadTimeoutMiddleware": 350,
        f"{BUILTIN}.defaultheaders.DefaultHeadersMiddleware": 400,
        f"{BUILTIN}.useragent.UserAgentMiddleware": 500,
        "scrapers.middlewares.RetryAndRedirect": 550,
        # Nearer to the wire than RetryAndRedirect, which reads bodies for the provider's word of a rate limit.
        "scrapers.decompression.StrictDecompression": 590,
        # Behind RetryAndRedirect: what that logs, and the requests that it makes, have no key.
        "scrapers.credentials.Credentials": 940,
    }
    if settings().world == "sandbox":
        return common | {"scrapers.middlewares.SandboxRedirection": 950}
    return common | {f"{BUILTIN}.httpproxy.HttpProxyMiddleware": 750}
