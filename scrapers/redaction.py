"""Keeping secrets out of what is written down: URLs, log lines, error texts."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

_NAME = r"[\w.-]*(?:key|token|secret|signature|passw(?:or)?d|crumb|auth)[\w.-]*"
_IN_QUERY = re.compile(rf"([?&;]{_NAME}=)[^&#\s\"']+", re.IGNORECASE)
_IN_HEADER = re.compile(rf"((?:{_NAME}|cookie)\"?'?\s*:\s*[\"']?)(?:(?:bearer|basic)\s+)?[^\s,\"'}}]+", re.IGNORECASE)
_SECRET_NAME = re.compile(rf"{_NAME}|cookie", re.IGNORECASE)
_USER_INFO = re.compile(r"(\w+://)[^/@\s]+@")


def redacted(text: str) -> str:
    """The text with the values of secret-looking query parameters, headers and user names taken out."""
    text = _USER_INFO.sub(r"\1***@", text)
    return _IN_HEADER.sub(r"\1***", _IN_QUERY.sub(r"\1***", text))


def without_secrets(url: str) -> str:
    """A URL fit to be stored: user and secret-looking query values taken out, the rest as it was."""
    return _IN_QUERY.sub(r"\1***", _USER_INFO.sub(r"\1***@", url))


def secrets_of(url: str, headers: Mapping[str, str]) -> list[str]:
    """The values a request sends under secret-looking names: an error page may repeat them in any form."""
    sent = [*parse_qsl(urlsplit(url).query), *headers.items()]
    return [word for name, value in sent if _SECRET_NAME.fullmatch(name) for word in value.split() if len(word) > 3]


def one_line(text: str, limit: int = 300, *, secrets: Iterable[str] = ()) -> str:
    """The text without secrets, those given among them, on one line, cut at `limit` characters."""
    for secret in secrets:
        text = text.replace(secret, "***")
    flat = " ".join(redacted(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
