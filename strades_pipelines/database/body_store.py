"""Bytes into the store: each body once, by the hash of what came."""

import hashlib
from typing import Any

import psycopg
import zstandard

COMPRESSION_LEVEL = 9
INSERT_BODY = "INSERT INTO rawsources.bodies (sha256, size, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"


def keep_body(cursor: psycopg.Cursor[Any], body: bytes) -> bytes:
    """Store a body unmodified (zstd) in the caller's transaction, if it is not there; returns its SHA-256."""
    sha256 = hashlib.sha256(body).digest()
    compressed = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(body)
    cursor.execute(INSERT_BODY, [sha256, len(body), compressed])
    return sha256
