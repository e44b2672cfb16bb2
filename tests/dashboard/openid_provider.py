"""An OpenID provider for tests: real HTTP, a key of its own, and every way to answer wrongly."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "strades-client", "a secret & more"


def make_key() -> rsa.RSAPrivateKey:
    """A signing key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """What it says: `claims` are laid over the true ones, None removes one; `discovery` over its document.

    `tokens` over its answer to a code; of both, what is no dictionary is answered as it is.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = self.signing_key = make_key()
        self.algorithm: str | None = "RS256"
        self.claims: dict[str, Any] = {}
        self.discovery: Any = {}
        self.tokens: Any = {}
        self.is_down = False
        # Pieces of an answer that has no end, and how long it waits between them; how many were taken.
        self.endless: tuple[bytes, float] | None = None
        self.taken = 0
        self.broken = b""  # what it sends after its status line before it hangs up
        self.moved_to, self.asked = "", 0  # another host that it redirects to; how often it was asked
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, query: dict[str, str]) -> str:
        """Sign the person in without a question; the address that the browser is sent to."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(8)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str]) -> Any:
        """The tokens of a code, once, for who knows the client's secret and began with this verifier (RFC 7636)."""
        query = self._codes.pop(form["code"], None)
        verified = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            query is None
            or (form["client_id"], form["client_secret"]) != (CLIENT, SECRET)
            or (query["code_challenge"], query["code_challenge_method"]) != (verified.decode(), "S256")
            or form["redirect_uri"] != query["redirect_uri"]
        ):
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "42", "iat": now, "exp": now + 60, "nonce": query["nonce"]}
        if "max_age" in query:  # OpenID Connect Core 1.0, 2: it is required then
            claims["auth_time"] = now
        claims = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        key = self.signing_key if self.algorithm == "RS256" else "x" * 64 if self.algorithm else None
        answer = {
            "access_token": "unused",
            "token_type": "Bearer",
            "id_token": jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": "one"}),
        }
        return {**answer, **self.tokens} if isinstance(self.tokens, dict) else self.tokens

    def document(self, path: str) -> Any:
        """Its public documents."""
        if path == "/.well-known/openid-configuration":
            places = {
                name: f"{self.url}/{name.partition('_')[0]}" for name in ("authorization_endpoint", "token_endpoint")
            }
            true = {"issuer": self.url, **places, "jwks_uri": f"{self.url}/keys"}
            return {**true, **self.discovery} if isinstance(self.discovery, dict) else self.discovery
        if path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}
        return None


@contextmanager
def provider_running() -> Iterator[Provider]:
    """Serve one on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):
                self._answer(None if found.is_down else found.document(self.path))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._answer(found.token({name: values[0] for name, values in form.items()}))

        def _answer(self, document: Any) -> None:
            found.asked += 1
            if found.broken:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n" + found.broken)
                return
            if found.moved_to:
                self.send_response(302)
                self.send_header("Location", found.moved_to + self.path)
                self.end_headers()
                self._send_endless()
                return
            self.send_response(200 if document is not None else 503 if found.is_down else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self._send_endless()
            self.wfile.write(json.dumps({"error": "no"} if document is None else document).encode())

        def _send_endless(self) -> None:
            while found.endless:
                self.wfile.write(found.endless[0])  # until the other side hangs up
                found.taken += len(found.endless[0])
                time.sleep(found.endless[1])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Provider(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
