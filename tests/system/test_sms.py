"""Alerts by SMS, against a local server that speaks Twilio's protocol, with its errors: none goes out twice."""

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from strades_pipelines.settings import settings
from strades_pipelines.system import alerting, sms
from strades_pipelines.system.sms import SmsFailed, send_sms

ACCOUNT, TOKEN = "AC" + "0" * 32, "geheim-0123456789"
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
Answer = str | int


class Twilio:
    """Takes messages and lists them.

    `plan` has for each POST what happens: `taken`, `lost` (taken, but the answer never comes), `dropped` (neither),
    or a status. `listing` is the status of the lists.
    """

    def __init__(self) -> None:
        self.plan: list[Answer] = []
        self.messages: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.listing = 200
        self.head = ""  # what a trial account puts before each text
        self.sender = "+33700000000"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append("list")
                words = parse_qs(urlsplit(self.path).query)
                assert urlsplit(self.path).path == PATH
                assert words["To"] == ["+33612345678"]
                senders = words.get("From", [service.sender])
                found = [row for row in service.messages if row["from"] in senders]
                body = {"messages": found, "page_size": 50, "next_page_uri": None, "uri": PATH}
                self.answer(service.listing, body if service.listing == 200 else {"status": service.listing})

            def do_POST(self) -> None:
                service.asked.append("send")
                assert b64decode(self.headers["Authorization"].removeprefix("Basic ")) == f"{ACCOUNT}:{TOKEN}".encode()
                words = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                step = service.plan.pop(0)
                if step in ("taken", "lost"):
                    service.add(service.head + words["Body"][0])
                if step in ("lost", "dropped"):
                    self.close_connection = True
                    return
                if step == "taken":
                    self.answer(201, service.messages[-1])
                else:
                    self.answer(int(step), {"status": step, "message": f"no, {ACCOUNT}", "code": 20003})

            def answer(self, status: int, body: object) -> None:
                told = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, body: str, status: str = "queued", age: timedelta = timedelta()) -> None:
        """Keep a message, as Twilio describes one."""
        made = format_datetime(datetime.now(UTC) - age)
        row = {"sid": f"SM{len(self.messages)}", "body": body, "status": status, "to": "+33612345678"}
        self.messages.append({**row, "from": self.sender, "date_created": made, "date_sent": made})


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Twilio]:
    """The service, in the place of Twilio's."""
    started = Twilio()
    values = {
        "ALERT_SMS_TO": "+33612345678",
        "ALERT_SMS_FROM": "+33700000000",
        "TWILIO_ACCOUNT": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_URL": f"http://127.0.0.1:{started.server.server_port}",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"STRADES_{name}", value)
    monkeypatch.setattr(sms, "SETTLING_SECONDS", 0.0)
    settings.cache_clear()
    yield started
    started.server.shutdown()
    started.server.server_close()
    settings.cache_clear()


@pytest.mark.parametrize(
    ("plan", "asked", "sent"),
    [
        (["taken"], ["list", "send"], 1),
        (["lost"], ["list", "send", "list"], 1),  # taken, though nobody said so: it is found, and not sent again
        (["dropped", "taken"], ["list", "send", "list", "send"], 1),
        ([503, "taken"], ["list", "send", "list", "send"], 1),
        ([429, "lost"], ["list", "send", "list", "send", "list"], 1),
    ],
)
def test_a_message_goes_out_once(twilio: Twilio, plan: list[Answer], asked: list[str], sent: int) -> None:
    twilio.plan = list(plan)
    assert send_sms("WalletLate", "paper is late") == "SM0"
    assert (twilio.asked, len(twilio.messages)) == (asked, sent)
    # Another process, which knows nothing of the first one, asks for the same alert.
    assert send_sms("WalletLate", "paper is late") == "SM0"
    assert len(twilio.messages) == sent
    twilio.plan = ["taken"]
    assert send_sms("WalletLate", "live is late") == "SM1"


def test_a_trial_account_and_a_messaging_service_send_once_too(twilio: Twilio, monkeypatch: pytest.MonkeyPatch) -> None:
    twilio.head, twilio.sender = "Sent from your Twilio trial account - ", "+33711111111"  # one number of the service
    monkeypatch.setenv("STRADES_ALERT_SMS_FROM", "MG" + "0" * 32)
    settings.cache_clear()
    twilio.plan = ["lost", "taken"]
    for _ in range(2):
        assert send_sms("WalletLate", "paper is late") == "SM0"
    assert len(twilio.messages) == 1


@pytest.mark.parametrize(
    ("plan", "listing", "said", "asked"),
    [
        ([401], 200, "Twilio answers 401", ["list", "send"]),
        ([400], 200, "Twilio answers 400", ["list", "send"]),
        (["dropped", "dropped"], 200, "2 attempts had no answer", ["list", "send", "list", "send", "list"]),
        ([], 500, "could not be asked", ["list"]),  # whether it went out before is not known: nothing is sent
    ],
)
def test_what_is_not_known_to_have_gone_out_is_said(
    twilio: Twilio, plan: list[Answer], listing: int, said: str, asked: list[str]
) -> None:
    twilio.plan, twilio.listing = list(plan), listing
    with pytest.raises(SmsFailed, match=said) as failed:
        send_sms("WalletLate", "paper is late")
    assert (twilio.asked, twilio.messages) == (asked, [])
    assert ACCOUNT not in str(failed.value)


def test_an_old_message_and_one_that_failed_are_no_reason_to_be_silent(twilio: Twilio) -> None:
    twilio.plan = ["taken"] * 3
    send_sms("WalletLate", "paper is late")
    body = twilio.messages.pop()["body"]
    twilio.add(body, age=timedelta(hours=2))
    twilio.add(body, status="undelivered")
    assert send_sms("WalletLate", "paper is late") == "SM2"


def test_an_alert_goes_by_sms_and_a_token_that_is_missing_is_told_in_the_log(
    twilio: Twilio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    twilio.plan = ["taken"]
    assert alerting.send_alert("WalletLate", "paper\nis late") == ["log", "sms"]
    assert twilio.messages[0]["body"].startswith("[strades sandbox] WalletLate: paper is late [")
    assert len(twilio.messages[0]["body"]) < sms.LONGEST
    monkeypatch.delenv("STRADES_TWILIO_AUTH_TOKEN")
    settings.cache_clear()
    assert not alerting.deliver_alert("WalletLate", "again")
    assert "the sms did not go out: SmsFailed" in caplog.text
