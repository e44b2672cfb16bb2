"""Ways in which real providers go wrong, on demand: tests and rehearsals ask for them, nothing else ever does.

A rule holds for a host and a path prefix, for the next `times` requests or until it is taken back. Kinds: `html200` (a
page where data was asked, status 200), `429`, `500`, `slow` (the answer starts after `seconds`), `truncated` (the
connection ends in the middle of the body), `corrupt` (a body of the promised length with wrong bytes in it),
`refuse` (the connection ends without a byte of answer), `empty` (status 200 and no body).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = ("html200", "429", "500", "slow", "truncated", "corrupt", "refuse", "empty")
HTML = b"<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking your browser</body></html>\n"


class RuleError(ValueError):
    """A rule that cannot be used: what was expected and what was found, in one line."""


@dataclass
class Rule:
    """One misbehaviour, and how many times it is still to happen (None: until taken back)."""

    host: str
    path_prefix: str
    kind: str
    times: int | None
    seconds: float  # slow: before the answer; 429: Retry-After

    def matches(self, host: str, path: str) -> bool:
        """Whether a request of this host and path (without the leading slash) is to go wrong."""
        return self.host == host and path.startswith(self.path_prefix.lstrip("/")) and self.times != 0


def rule_from(document: Mapping[str, Any]) -> Rule:
    """A rule of its JSON form `{"host", "path_prefix", "kind", "times", "seconds"}`; only host and kind are needed.

    Raises:
        RuleError: naming the key.
    """
    known = {"host", "path_prefix", "kind", "times", "seconds"}
    if unknown := set(document) - known:
        raise RuleError(f"expected keys of {sorted(known)}, was {sorted(unknown)}")
    host, kind, times = document.get("host"), document.get("kind"), document.get("times")
    if not isinstance(host, str) or not host:
        raise RuleError(f"host: expected a name such as api.gateio.ws, was {host!r}")
    if kind not in KINDS:
        raise RuleError(f"kind: expected one of {', '.join(KINDS)}, was {kind!r}")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise RuleError(f"times: expected a whole number from 1 or null, was {times!r}")
    return Rule(host, str(document.get("path_prefix", "")), kind, times, float(document.get("seconds", 1.0)))


@dataclass
class Rules:
    """The rules in force, newest last; the first that matches a request applies to it."""

    rules: list[Rule] = field(default_factory=list)

    def take(self, host: str, path: str) -> Rule | None:
        """The rule for a request, counted down; None where all goes well."""
        rule = next((rule for rule in self.rules if rule.matches(host, path)), None)
        if rule is not None and rule.times is not None:
            rule.times -= 1
        return rule


async def misbehave(rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> int:
    """Answer a request as a rule says; returns the status that went out, 0 for none."""
    if rule.kind == "refuse":
        connection(send).abort()
        return 0
    if rule.kind == "slow":
        await asyncio.sleep(rule.seconds)
    if rule.kind in ("html200", "429", "500", "empty"):
        return await _canned(rule, send)
    start, body = await _answered(app, scope, receive)
    await send(start)
    if rule.kind == "truncated":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        connection(send).close()
    else:
        await send({"type": "http.response.body", "body": corrupted(body) if rule.kind == "corrupt" else body})
    return int(start["status"])


def corrupted(body: bytes) -> bytes:
    """The same number of bytes, with every bit of the middle third turned over."""
    third = len(body) // 3
    return body[:third] + bytes(byte ^ 0xFF for byte in body[third : 2 * third]) + body[2 * third :]


async def _canned(rule: Rule, send: Send) -> int:
    status = int(rule.kind) if rule.kind.isdigit() else 200
    body = b"" if rule.kind == "empty" else HTML
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if status == 429:
        headers.append((b"retry-after", str(int(rule.seconds)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


async def _answered(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """What the well-behaved sandbox would have sent."""
    messages: list[Message] = []

    async def collect(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, collect)
    return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def connection(send: Send) -> asyncio.Transport:
    """The connection that a response goes out on."""
    # ASGI has no way to hang up; uvicorn's `send` is a method of the request's cycle, which holds the transport.
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    return transport
