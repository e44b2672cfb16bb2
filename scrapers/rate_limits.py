"""What a provider says of its rate limit besides HTTP 429: codes in an answer with HTTP 200, and headers of usage."""

from typing import Any

from scrapers.plan import RateLimitErrors, UsageHeader
from scrapers.spiders.api import decoded
from strades_pipelines.datamanager.json_pointer import ABSENT, resolve

LONGEST_ERROR_DOCUMENT = 20_000  # bytes: data are not decoded to look for an error


def stated_rate_limit(body: bytes, stated: RateLimitErrors | None) -> str | None:
    """The code of the rate limit that a JSON body is about; None where it is about none.

    Args:
        stated: of the protocol; None where the provider says it by its status alone.
    """
    if stated is None or len(body) > LONGEST_ERROR_DOCUMENT:
        return None
    found = resolve(decoded(body), stated.at)
    values = found if isinstance(found, list) else [] if found is ABSENT else [found]
    return next((code for value in values for code in stated.codes if _says(value, code)), None)


def usage_wait(value: str | None, usage: UsageHeader, now: float) -> float | None:
    """The seconds to the end of the provider's window where its limit is reached; None where it is not.

    Args:
        value: of the header; None where the answer has none.
        now: seconds since the epoch: a window begins at a multiple of its length.
    """
    if value is None or not (value.isascii() and value.strip().isdigit() and len(value) <= 20):
        return None
    is_reached = int(value) >= usage.limit if usage.counts == "used" else int(value) <= usage.limit
    return usage.window_seconds - now % usage.window_seconds if is_reached else None


def _says(value: Any, code: str) -> bool:
    """Whether it is the code, or the code with more behind a colon, as in `EService:Throttled:1793480400`."""
    return str(value) == code or str(value).startswith(f"{code}:")
