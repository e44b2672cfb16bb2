"""Rate limits that a provider tells of in an answer with HTTP 200, by codes that its protocol states."""

from typing import Any

from scrapers.plan import RateLimitErrors
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


def _says(value: Any, code: str) -> bool:
    """Whether it is the code, or the code with more behind a colon, as in `EService:Throttled:1793480400`."""
    return str(value) == code or str(value).startswith(f"{code}:")
