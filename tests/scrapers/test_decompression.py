"""A body is unpacked whole, within its bound, or it fails: never half of it."""

import gzip
import zlib
from collections.abc import Callable
from functools import partial

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from scrapy.exceptions import IgnoreRequest

from scrapers.decompression import MOST_MEMBERS, StrictDecompression

MAX_BYTES = 1_000_000


def raw_deflate(content: bytes) -> bytes:
    """Without zlib's header, as some servers send it."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


PACK: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"x-gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "raw deflate": (b"deflate", raw_deflate),
    "br": (b"br", partial(brotli.compress, quality=1)),
    "zstd": (b"zstd", zstandard.compress),
}
each_encoding = pytest.mark.parametrize("name", PACK)


def unpacked(body: bytes, name: str) -> bytes:
    """What the middleware makes of a body."""
    return StrictDecompression._decode(body, PACK[name][0], MAX_BYTES)


@each_encoding
@given(content=st.binary(min_size=1, max_size=2000), data=st.data())
def test_a_whole_body_comes_back_and_a_cut_one_is_refused(name: str, content: bytes, data: st.DataObject) -> None:
    body = PACK[name][1](content)
    assert unpacked(body, name) == content
    with pytest.raises(IgnoreRequest):
        unpacked(body[: data.draw(st.integers(1, len(body) - 1))], name)


@each_encoding
def test_the_bound_is_the_last_size_that_is_taken(name: str) -> None:
    pack = PACK[name][1]
    assert unpacked(pack(bytes(MAX_BYTES)), name) == bytes(MAX_BYTES)
    for size in (MAX_BYTES + 1, 20 * MAX_BYTES):
        with pytest.raises(IgnoreRequest, match="larger than 1000000 bytes"):
            unpacked(pack(bytes(size)), name)


@each_encoding
def test_an_empty_body_is_empty_and_another_encoding_is_refused(name: str) -> None:
    assert unpacked(b"", name) == b""
    with pytest.raises(IgnoreRequest, match=f"expected a (whole )?body of {PACK[name][0].decode()}"):
        unpacked(b'{"a": 1}', name)


def test_damage_that_changes_the_content_is_found_by_its_check_sum() -> None:
    body = bytearray(gzip.compress(bytes(range(256)) * 8))
    body[-6] ^= 1
    with pytest.raises(IgnoreRequest, match="was damaged"):
        unpacked(bytes(body), "gzip")


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_are_one_body_and_padding_is_none(name: str) -> None:
    pack = PACK[name][1]
    assert unpacked(pack(b"a") + pack(b"") + pack(b"b") + bytes(10), name) == b"ab"
    with pytest.raises(IgnoreRequest, match="was cut"):
        unpacked(pack(b"a") + pack(b"b" * 100)[:-3], name)
    with pytest.raises(IgnoreRequest, match=f"at most {MOST_MEMBERS} members"):
        unpacked(pack(b"") * 100_000, name)
    with pytest.raises(IgnoreRequest, match="larger than"):
        unpacked(pack(bytes(MAX_BYTES // 2)) * 3, name)


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "zstd"])
def test_a_body_cut_behind_its_first_member_is_not_whole(name: str) -> None:
    """Each member begins with its magic (RFC 1952, 2.3.1; RFC 8878, 3.1.1): a piece of it is one that was cut."""
    pack = PACK[name][1]
    first, second = pack(b"first"), pack(b"second")
    for cut in range(1, len(second)):
        with pytest.raises(IgnoreRequest, match="was cut"):
            unpacked(first + second[:cut], name)
    assert unpacked(first, name) == b"first"
