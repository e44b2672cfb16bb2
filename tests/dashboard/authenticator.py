"""A device that makes passkeys and signs with them, in software: WebAuthn Level 2, sections 6.1, 6.5.4 and 7."""

import base64
import hashlib
import json
import struct
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor

ORIGIN, HOST = "http://localhost", "localhost"
PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40  # of 6.1: somebody touched it, gave a PIN or finger, a key follows


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Authenticator:
    """One key of one account, which always asks for a finger and can sign in alone, whatever was wanted."""

    def __init__(self, user_id: int, credential_id: bytes = b"one key") -> None:
        self._key, self._id = ec.generate_private_key(ec.SECP256R1()), credential_id
        self._user = _text(str(user_id).encode())
        self._count = 0

    def make(self, challenge: str) -> dict[str, Any]:
        """What the browser sends of a new key (7.1); as the devices of phones do, it says that it signs in alone."""
        numbers = self._key.public_key().public_numbers()
        place = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        public = cbor.encode({1: 2, 3: -7, -1: 1, **place})  # RFC 9053: EC2, ES256, P-256
        key = bytes(16) + struct.pack(">H", len(self._id)) + self._id + public
        data = self._data(PRESENT | VERIFIED | HAS_KEY) + key
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return {
            **self._credential({"attestationObject": _text(attestation)}, self._client("webauthn.create", challenge)),
            "clientExtensionResults": {"credProps": {"rk": True}},
        }

    def sign(self, challenge: str) -> dict[str, Any]:
        """What the browser sends to sign in (7.2)."""
        client, data = self._client("webauthn.get", challenge), self._data(PRESENT | VERIFIED)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        told = {"authenticatorData": _text(data), "signature": _text(signature), "userHandle": self._user}
        return {**self._credential(told, client), "clientExtensionResults": {}}

    def _data(self, flags: int) -> bytes:
        self._count += 1
        return hashlib.sha256(HOST.encode()).digest() + struct.pack(">BI", flags, self._count)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": ORIGIN}).encode()

    def _credential(self, response: dict[str, str], client: bytes) -> dict[str, Any]:
        told = {"clientDataJSON": _text(client), **response}
        return {"id": _text(self._id), "rawId": _text(self._id), "type": "public-key", "response": told}
