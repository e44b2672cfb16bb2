"""Alerts go out for real, to a web server and a mail server of this machine (`strades_pipelines.system.alerting`)."""

import json
import threading
from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.system.ports import free_port

SUBJECT, MESSAGE = "run 1a2b3c4d failed at trading", "wallet paper: the broker said no"
posted: list[tuple[str, dict[str, Any]]] = []


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; refuses at /full."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        posted.append((self.path, json.loads(body)))
        self.send_response(507 if self.path.startswith("/full") else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def hook() -> Iterator[str]:
    """The address of a web server."""
    posted.clear()
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


class Box:
    """Keeps the letters that come in."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 kept"


@pytest.fixture
def post_office() -> Iterator[tuple[str, Box]]:
    """The address of a mail server, and what it gets."""
    box = Box()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield f"127.0.0.1:{controller.port}", box
    controller.stop()


def test_without_settings_an_alert_is_logged(give_settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    give_settings()
    assert Notifier().alert(SUBJECT, MESSAGE) == ["log"]
    assert caplog.messages == [f"ALERT {SUBJECT}: {MESSAGE}"]


def test_an_alert_is_posted_as_json(give_settings: Any, hook: str) -> None:
    give_settings(alert_webhook=f"{hook}/services/token")
    assert Notifier().alert(SUBJECT, MESSAGE) == ["log", "webhook"]
    text = f"{SUBJECT}: {MESSAGE}"
    document = {"subject": SUBJECT, "message": MESSAGE, "text": text, "world": "sandbox"}
    assert posted == [("/services/token", document)]


def test_an_alert_is_mailed(give_settings: Any, post_office: tuple[str, Box]) -> None:
    address, box = post_office
    give_settings(alert_smtp=f"smtp://{address}", alert_to="one@example.org, two@example.org")
    assert Notifier().alert(SUBJECT, MESSAGE) == ["log", "mail"]
    ((receivers, letter),) = box.letters
    assert receivers == ["one@example.org", "two@example.org"]
    assert letter["Subject"] == f"[strades sandbox] {SUBJECT}"
    assert letter.get_payload().strip() == MESSAGE


def test_a_way_that_fails_stops_no_other_and_tells_no_secret(
    give_settings: Any, hook: str, post_office: tuple[str, Box], caplog: pytest.LogCaptureFixture
) -> None:
    address, box = post_office
    give_settings(alert_webhook=f"{hook}/full?key=geheim", alert_smtp=f"smtp://{address}", alert_to="one@example.org")
    assert Notifier().alert(SUBJECT, MESSAGE) == ["log", "mail"]
    assert len(box.letters) == 1
    assert "geheim" not in caplog.text
    assert "the webhook did not go out: HTTPError" in caplog.messages


def test_a_password_is_not_sent_in_the_clear(
    give_settings: Any, post_office: tuple[str, Box], caplog: pytest.LogCaptureFixture
) -> None:
    address, box = post_office
    give_settings(alert_smtp=f"smtp://me:geheim@{address}", alert_to="one@example.org")
    assert Notifier().alert(SUBJECT, MESSAGE) == ["log"]
    assert box.letters == []
    assert "geheim" not in caplog.text
