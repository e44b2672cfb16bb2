"""Stored bodies back to bytes, and proof that they are the bytes that came."""

import hashlib
from typing import Any

import psycopg
import zstandard


class BodyCorrupt(ValueError):
    """A stored body is not the one its hash names; one line with the hash."""


def unpack(sha256: bytes, size: int, packed: bytes) -> bytes:
    """The bytes of a stored body.

    Args:
        sha256: the hash it is stored under, of the uncompressed bytes.
        size: how many bytes those are; no more are unpacked.
        packed: the zstd frame.

    Raises:
        BodyCorrupt: it cannot be unpacked, or its size or hash is another.
    """
    try:
        # The frame's own word first, before anything is unpacked: a few bytes may unpack to gigabytes.
        stated = zstandard.get_frame_parameters(packed).content_size
        if stated not in (size, zstandard.CONTENTSIZE_UNKNOWN):
            raise zstandard.ZstdError(f"a frame of {stated} bytes")
        # zstandard takes 0 for no limit.
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(size, 1))
    except zstandard.ZstdError as error:
        raise BodyCorrupt(f"stored body {sha256.hex()}: expected a zstd frame of {size} bytes, was {error}") from None
    found = hashlib.sha256(body).hexdigest()
    if found != sha256.hex():
        raise BodyCorrupt(f"stored body {sha256.hex()}: expected bytes with that SHA-256, was {found}")
    return body


def count_whole_bodies(connection: psycopg.Connection[Any]) -> int:
    """How many bodies a database stores, each unpacked and hashed again.

    Raises:
        BodyCorrupt: at the first that is not the one its hash names.
    """
    count = 0
    # A cursor of the server: fetched at once, the bodies of years would not fit into memory.
    with connection.cursor(name="bodies") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT sha256, size, body FROM rawsources.bodies")
        for sha256, size, packed in cursor:
            unpack(bytes(sha256), size, bytes(packed))
            count += 1
    return count
