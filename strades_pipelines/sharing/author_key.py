"""The key with which this installation signs bundles: Ed25519 (RFC 8032), made once, in the home, its owner's alone."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from strades_pipelines.bad_input import BadInput

FILE = "bundle-key.pem"


class AuthorKey:
    """A private key; only what it signs and its public half are seen."""

    def __init__(self, private: Any) -> None:
        self._private = private

    @classmethod
    def read_or_make(cls, home: Path) -> "AuthorKey":
        """The key of a home, made where there is none; of two processes that make it, the first one wins.

        Raises:
            BadInput: the file holds no such key.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        path = home / FILE
        if not path.exists():
            _write_new(path)
        try:
            found = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            found = None
        if not isinstance(found, Ed25519PrivateKey):
            raise BadInput(f"{path}: expected an Ed25519 key in PEM, found something else; move it away for a new one")
        return cls(found)

    @property
    def public(self) -> str:
        """The public key, 32 bytes in hexadecimal."""
        return str(self._private.public_key().public_bytes_raw().hex())

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        return bytes(self._private.sign(message))


def _write_new(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    part = path.with_name(f"{path.name}.{os.getpid()}")
    # The mode first: the key is never in a file that others can read.
    part.touch(mode=0o600)
    part.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    # Unlike a rename, a link fails where another process was first.
    with suppress(FileExistsError):
        path.hardlink_to(part)
    part.unlink()
