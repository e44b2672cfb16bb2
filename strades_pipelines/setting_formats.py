"""Forms of the values of settings (URLs, hosts, headers). Pure: each check returns the value or says what it expects.

The checks raise ValueError, which pydantic turns into an error that names the variable. They never repeat the value:
many of them hold a secret.
"""

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

from strades_pipelines.origins import is_loopback, public_origins

DATABASE_URL_FORM = (
    "expected postgresql://user:password@host:port/database; "
    "percent-encode what is neither a letter nor a digit in user and password"
)
_DATABASE_URL = re.compile(
    r"postgres(?:ql)?://(?P<user>[^\s:@/?#\[\]]+)(?::(?P<password>[^\s@/?#\[\]]*))?"
    r"@(?:[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
    r"(?:/(?P<database>[^\s:@/?#\[\]]*))?(?:\?(?P<query>[^\s@?#]*))?",
    re.ASCII,
)
# What a URL may say after its question mark: who connects, and where to, is said before it.
_DATABASE_URL_PARAMETERS = {
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version", "channel_binding",
    "gssencmode", "target_session_attrs", "connect_timeout", "application_name", "keepalives", "keepalives_idle",
    "keepalives_interval", "keepalives_count", "tcp_user_timeout", "require_auth",
}  # fmt: skip

_COLLECTOR_URL = re.compile(r"https?://[\w.\-:\[\]]+(?:/[^\s?#@]*)?", re.ASCII)
_BUCKET = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]+(?:/[\w.-]+)*(?:[?&](?:region=[\w-]+|scheme=https?|endpoint_override=[\w.:-]+))*",
    re.ASCII,
)
_HEADER = re.compile(r"\s*[\w!#$%&'*+.^`|~-]+\s*=\s*[!-~](?:[ -~]*[!-~])?\s*", re.ASCII)


def _check_database_url(url: str) -> str:
    if not _is_database_url(url.strip()):
        raise ValueError(DATABASE_URL_FORM)
    # A file of secrets ends with a line feed; SQLAlchemy knows the longer name only.
    return "postgresql://" + url.strip().partition("://")[2]


def _is_database_url(url: str) -> bool:
    """Whether all that read the URL (libpq, SQLAlchemy, yoyo, dbt) understand it, and the same by it."""
    found = _DATABASE_URL.fullmatch(url)
    if found is None or not url.isascii() or int(found["port"] or 5432) not in range(1, 65536):
        return False
    if re.search(r"%(?![\dA-Fa-f]{2})", url) or "%00" in url:
        return False
    try:
        unquote(url, errors="strict")
    except UnicodeDecodeError:
        return False
    pairs = [pair.partition("=") for pair in (found["query"] or "").split("&") if pair]
    return all(name in _DATABASE_URL_PARAMETERS and value for name, _, value in pairs)


def _check_service_url(url: str) -> str:
    parts = urlsplit(url)
    # Keys are sent there: without TLS to this machine alone.
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if url and not (is_safe and parts.hostname and "@" not in parts.netloc and not parts.query + parts.fragment):
        raise ValueError("expected https://host[/path], as the provider names itself")
    return url


def _check_server_url(url: str, schemes: tuple[str, str]) -> str:
    try:
        parts = urlsplit(url.strip())
        is_good = parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(f"expected {schemes[0]}://host or {schemes[1]}://host")
    return url


def _check_collector_url(url: str) -> str:
    if not _COLLECTOR_URL.fullmatch(url):
        raise ValueError("expected http(s)://host[:port]/path alone; a key goes into STRADES_TRACES_HEADERS")
    return url


def _check_bucket_url(address: str) -> str:
    if not _BUCKET.fullmatch(address):
        raise ValueError(
            "expected s3://bucket/path, with region, scheme and endpoint_override behind a question mark; "
            "keys go into the file STRADES_ARCHIVE_STORE_KEYS"
        )
    return address


def _check_headers(headers: str) -> str:
    if not all(_HEADER.fullmatch(header) for header in headers.split(",")):
        raise ValueError("expected name=value, with commas between")
    return headers


def _check_hosts(hosts: str) -> str:
    public_origins(hosts)
    return hosts


DatabaseUrl = Annotated[str, AfterValidator(_check_database_url)]
ServiceUrl = Annotated[str, AfterValidator(_check_service_url)]  # empty: none
WebUrl = Annotated[str, AfterValidator(lambda url: _check_server_url(url, ("http", "https")))]
MailUrl = Annotated[str, AfterValidator(lambda url: _check_server_url(url, ("smtp", "smtps")))]
CollectorUrl = Annotated[str, AfterValidator(_check_collector_url)]
BucketUrl = Annotated[str, AfterValidator(_check_bucket_url)]
Headers = Annotated[str, AfterValidator(_check_headers)]
PublicHosts = Annotated[str, AfterValidator(_check_hosts)]
