"""Keeping secrets out of what is written down: URLs, log lines, error texts."""

import re

_NAME = r"[\w.-]*(?:key|token|secret|signature|passw(?:or)?d|crumb|auth)[\w.-]*"
_IN_QUERY = re.compile(rf"([?&;]{_NAME}=)[^&#\s\"']+", re.IGNORECASE)
_IN_HEADER = re.compile(rf"((?:{_NAME}|cookie)\"?'?\s*:\s*[\"']?)(?:(?:bearer|basic)\s+)?[^\s,\"'}}]+", re.IGNORECASE)
_USER_INFO = re.compile(r"(\w+://)[^/@\s]+@")


def redacted(text: str) -> str:
    """The text with the values of secret-looking query parameters, headers and user names taken out."""
    text = _USER_INFO.sub(r"\1***@", text)
    return _IN_HEADER.sub(r"\1***", _IN_QUERY.sub(r"\1***", text))


def without_secrets(url: str) -> str:
    """A URL fit to be stored: user and secret-looking query values taken out, the rest as it was."""
    return _IN_QUERY.sub(r"\1***", _USER_INFO.sub(r"\1***@", url))


def one_line(text: str, limit: int = 300) -> str:
    """The text without secrets, on one line, cut at `limit` characters."""
    flat = " ".join(redacted(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
