"""Keeping secrets out of what is written down: URLs, log lines, error texts.

Two nets: the values that this process sends as keys (`secret_values`), and whatever stands under a name such as
`api_key`, for secrets that it was never told of.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

from strades_pipelines.system.secret_values import is_secret_name, masked

_IN_QUERY = re.compile(r"([?&;])([\w.-]{1,80})=([^&#\s\"']+)")
_IN_HEADER = re.compile(
    r"(?<![\w./:\]%-])([\w.-]{1,80})(\"?'?\s*:\s*[\"']?)(?:(?:bearer|basic|token)\s+)?[^\s,\"'}]+", re.IGNORECASE
)
_USER_INFO = re.compile(r"\b(\w{1,20}://)[^/@\s]+@")
# What a request says of itself in the open; any other header may be a key, whatever it is called.
_PUBLIC_HEADERS = {"accept", "accept-encoding", "accept-language", "content-type", "referer", "user-agent"}


def redacted(text: str) -> str:
    """The text without known secrets and without the values of secret-looking query parameters, headers and users."""
    return _IN_HEADER.sub(_header_without_value, without_secrets(text))


def without_secrets(url: str) -> str:
    """A URL fit to be stored: secrets, user and secret-looking query values taken out, the rest as it was."""
    return _IN_QUERY.sub(_parameter_without_value, _USER_INFO.sub(r"\1***@", masked(url)))


def secrets_of(url: str, headers: Mapping[str, str]) -> list[str]:
    """The values a request sends that may be secrets: an error page may repeat them in any form."""
    sent = [(name, value) for name, value in parse_qsl(urlsplit(url).query) if is_secret_name(name)]
    sent += [(name, value) for name, value in headers.items() if name.lower() not in _PUBLIC_HEADERS]
    # A word of three letters stands in many a page that repeats no secret.
    return [word for _, value in sent for word in value.split() if len(word) > 3]


def _parameter_without_value(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}=***" if is_secret_name(found[2]) else found[0]


def _header_without_value(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}***" if is_secret_name(found[1]) else found[0]


def one_line(text: str, limit: int = 300, *, secrets: Iterable[str] = ()) -> str:
    """The text without secrets, those given among them, on one line, cut at `limit` characters."""
    for secret in secrets:
        text = text.replace(secret, "***")
    # First without secrets, then cut: half of one is not known for one.
    flat = " ".join(redacted(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
