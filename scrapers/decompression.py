"""Content-Encoding without Scrapy's leniency, which takes what it can get of a body that was cut or damaged."""

import zlib
from collections.abc import Callable

from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.utils._compression import brotli, zstd  # type: ignore[attr-defined]  # those of this Python version

# Each member costs a copy of all behind it. A server that compresses as it sends makes one.
MOST_MEMBERS = 16
Unpacked = tuple[bytes, bool, bytes]  # the content, whether the stream ended, and the bytes behind its end
MAGIC = {b"gzip": b"\x1f\x8b", b"x-gzip": b"\x1f\x8b", b"zstd": b"\x28\xb5\x2f\xfd"}


class StrictDecompression(HttpCompressionMiddleware):
    """Scrapy's middleware; a body that is not whole or unpacks to more than its protocol allows fails."""

    @staticmethod
    def _decode(body: bytes, encoding: bytes, max_size: int) -> bytes:
        """Unpack one encoding. An empty body has none, whatever its header says (304, 204).

        Raises:
            IgnoreRequest: with the reason.
        """
        name, magic = encoding.decode(), MAGIC.get(encoding)
        content, rest, members = b"", body, 0
        while rest:
            members += 1
            try:
                # One byte more than is allowed tells a body that is too large. It is never 0, which zlib takes for no
                # limit.
                part, ended, rest = UNPACK[encoding](rest, max_size + 1 - len(content))
            except Exception as error:  # each library has its own
                raise IgnoreRequest(f"expected a body of {name}, was damaged ({error})") from None
            content += part
            if len(content) > max_size:
                raise IgnoreRequest(f"the body is larger than {max_size} bytes (max_bytes of its protocol)")
            if not ended:
                raise IgnoreRequest(f"expected a whole body of {name}, was cut")
            if magic is None or not rest.startswith(magic[: len(rest)]):
                break  # bytes behind the end that begin no other member are padding; a piece of a magic begins one
            if members == MOST_MEMBERS:
                raise IgnoreRequest(f"expected at most {MOST_MEMBERS} members of {name}, was more")
        return content


def _gzip(body: bytes, most: int) -> Unpacked:
    return _zlib(body, most, wbits=31)


def _deflate(body: bytes, most: int) -> Unpacked:
    """Unpack a zlib stream (RFC 9110, 8.4.1.2), or the raw one that some servers send."""
    has_header = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0  # RFC 1950, 2.2
    return _zlib(body, most, wbits=15 if has_header else -15)


def _zlib(body: bytes, most: int, *, wbits: int) -> Unpacked:
    stream = zlib.decompressobj(wbits)
    content = stream.decompress(body, most)
    return content, stream.eof, stream.unused_data


def _brotli(body: bytes, most: int) -> Unpacked:
    stream, content = brotli.Decompressor(), bytearray()
    part = stream.process(body, output_buffer_limit=most)
    while part:
        content += part
        part = stream.process(b"", output_buffer_limit=most - len(content)) if len(content) < most else b""
    return bytes(content), stream.is_finished(), b""


def _zstd(body: bytes, most: int) -> Unpacked:
    stream = zstd.ZstdDecompressor()
    content = stream.decompress(body, most)
    return content, stream.eof, stream.unused_data


UNPACK: dict[bytes, Callable[[bytes, int], Unpacked]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
