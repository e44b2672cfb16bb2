"""Response headers as text that a table and a log line can hold."""

from collections.abc import Mapping, Sequence

from strades_pipelines.system.secret_values import masked

MOST_HEADERS = 64
LONGEST_HEADER = 4_096  # bytes of a value
LONGEST_NAME = 100
LONGEST_MARK = 512
LEFT_OUT = "strades-headers-left-out"  # how many headers of an answer were not kept
RawHeaders = Mapping[bytes, Sequence[bytes]]  # by lower-case name


def readable_headers(headers: RawHeaders) -> dict[str, str]:
    """Headers by lower-case name: Latin-1 (RFC 9110, 5.5), without control characters, secrets masked.

    The values of a repeated header are joined by commas.
    """
    return {_text(name, LONGEST_NAME): _text(b",".join(values)) for name, values in headers.items()}


def sendable(headers: RawHeaders, name: bytes) -> str | None:
    """The value of `ETag` or `Last-Modified` as it can be sent back, or None where it cannot: that of one header,
    printable ASCII, at most 512 letters.
    """
    values = headers.get(name, ())
    value = values[0].decode("latin-1") if len(values) == 1 else ""
    return value if value and len(value) <= LONGEST_MARK and value.isascii() and value.isprintable() else None


def _text(raw: bytes, limit: int = LONGEST_HEADER) -> str:
    return masked("".join(letter for letter in raw[:limit].decode("latin-1") if letter.isprintable()))
