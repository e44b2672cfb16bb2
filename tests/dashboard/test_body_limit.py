"""No request makes the dashboard keep more than its limit."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive, Scope, Send

from dashboard.asgi import application
from dashboard.body_limit import BodyLimit

KILOBYTE = b"x" * 1024


class Browser:
    """Sends these parts of a body, the last of which may say that more will come, and counts those that were taken."""

    def __init__(self, parts: Sequence[bytes], *, declared: str | None = None) -> None:
        self.taken, self.answers = 0, list[Message]()
        self._parts = parts
        headers = [(b"host", b"127.0.0.1"), *([(b"content-length", declared.encode())] if declared else [])]
        self.scope: Scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}

    async def receive(self) -> Message:
        """The next part."""
        self.taken += 1
        if self.taken > len(self._parts):
            return {"type": "http.disconnect"}
        more = self.taken < len(self._parts)
        return {"type": "http.request", "body": self._parts[self.taken - 1], "more_body": more}

    async def send(self, message: Message) -> None:
        """Keep what is answered."""
        self.answers.append(message)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that tells what it read until the body ended or broke off."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "end", "body": body, "last": message["type"], "next": (await receive())["type"]})


def test_a_body_without_a_length_is_read_up_to_the_limit_and_no_further() -> None:
    browser = Browser([KILOBYTE] * 100_000)
    asyncio.run(application(browser.scope, browser.receive, browser.send))
    assert browser.answers[0]["status"] == 413
    assert browser.taken == 257


def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    browser = Browser([KILOBYTE], declared="262145")
    asyncio.run(application(browser.scope, browser.receive, browser.send))
    assert (browser.answers[0]["status"], browser.taken) == (413, 0)
    assert (b"connection", b"close") in browser.answers[0]["headers"]


@pytest.mark.parametrize("parts", [[b""], [b"0123456789"], [b"01234", b"", b"56789"]])
def test_a_body_within_the_limit_is_handed_on_as_it_came(parts: list[bytes]) -> None:
    browser = Browser(parts, declared="10")
    asyncio.run(BodyLimit(echo, 10)(browser.scope, browser.receive, browser.send))
    [told] = browser.answers
    assert (told["body"], told["next"]) == (b"".join(parts), "http.disconnect")


def test_a_browser_that_goes_away_is_told_to_the_application() -> None:
    browser = Browser([])
    asyncio.run(BodyLimit(echo, 10)(browser.scope, browser.receive, browser.send))
    assert browser.answers[0]["last"] == "http.disconnect"
