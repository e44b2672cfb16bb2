"""Drafts about a bundle: by the template, and by a local server that speaks OpenAI's protocol, with its errors."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from strades_pipelines.settings import settings
from strades_pipelines.sharing import article_service
from strades_pipelines.sharing.article import DraftRefused, Facts, check_draft, facts_of, template_draft
from strades_pipelines.sharing.article_service import ServiceFailed, chatgpt_draft
from strades_pipelines.sharing.bundle_file import Bundle
from tests.sharing.conftest import strategy_of

FACTS = Facts(
    "hold",
    "1.0.3",
    "48ec-4d06-df10-f0b2",
    "Apache-2.0",
    ("gateio:BTC_USDT", "S5x"),
    "2020-01-01",
    "2021-04-30",
    {"total return": "12.50 %", "Sharpe ratio": "1.10", "fills": "1203", "deepest drawdown": "-7.00 %"},
)

GOOD = "hold 1.0.3 on S5x made 12.5 % from 2020-01-01 to 2021-04-30 with 1,203 fills, after a fall of 7 %."
KEY = "sk-local-0123456789"
ANSWER = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}


def completion(text: str | None, reason: str = "stop") -> dict[str, Any]:
    """A body as OpenAI's reference of chat completions has it."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return {**ANSWER, "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}]}


class Service:
    """Answers with what is in `answers`, one after the other: status, headers, body."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.is_slow = Event()
        self.release = Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked.append((self.path, body, self.headers["Authorization"]))
                if service.is_slow.is_set():
                    service.release.wait(20)
                status, headers, answer = service.answers.pop(0)
                told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(told)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service, in the place of OpenAI's, with a key."""
    started = Service()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("STRADES_OPENAI_URL", f"http://127.0.0.1:{started.server.server_port}/v1")
    settings.cache_clear()
    yield started
    started.release.set()
    started.server.shutdown()
    started.server.server_close()
    settings.cache_clear()


def test_the_template_says_every_fact_and_nothing_else(bundle: Bundle) -> None:
    facts = facts_of(strategy_of(bundle))
    # Of tests/sharing/test_verification.py: two units bought at 100 with a fee of 0.20, the last close is 100.25.
    assert facts.figures["total return"] == "0.00 %"
    assert (facts.figures["fills"], facts.first_day, facts.last_day) == ("1", "2020-01-01", "2020-04-30")
    text = template_draft(facts, is_verified=False)
    assert check_draft(text, facts) == text
    assert all(value in text for value in facts.figures.values())
    assert "no run has given the same" in text
    assert "gave the same figures" in template_draft(facts, is_verified=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It made 12.51 %.", "12.51"),
        ("It made 125 %.", "125"),
        ("It made 13 % or so.", "13"),
        ("It doubled.", "doubled"),
        ("It made twelve percent.", "twelve"),
        ("It had 1203k fills.", "1203k"),
        ("It made \u0661\u0662 %.", "\u0661"),
        ("It lost \u00bd.", "\u00bd"),
        ("Over 48 trades.", "48"),  # a part of the key is no figure
        ("Twice as good as holding.", "Twice"),
        ("It gained 31 % a year.", "31"),  # a part of a day is no figure
        ("Over 2020 trades.", "2020"),
        ("From 2020-01-011 on.", "2020"),
        ("It rose on S5x9 by much.", "5"),
        ("It never lost: zero drawdown.", "zero"),
        ("It quadrupled.", "quadrupled"),
        ("With a tenth of the risk.", "tenth"),
        ("A trillion.", "trillion"),
        ("It doubles.", "doubles"),
        ("With two thousandths.", "two"),
        ("In the twenties.", "twenties"),
        ("   ", "found 0"),
        ("x" * 4001, "found 4001"),
    ],
)
def test_a_draft_with_a_number_of_its_own_is_refused(text: str, said: str) -> None:
    assert check_draft(f" {GOOD}\n", FACTS) == GOOD
    with pytest.raises(DraftRefused, match=said):
        check_draft(text, FACTS)


@pytest.mark.parametrize(
    ("instrument", "text", "said"),
    [
        ("7203", "It made 7203 % in total.", "7203"),
        ("9", "It made 999.99 % in total.", "999.99"),
        ("e", "It made three hundred times that.", "three"),
        ("double", "It is a double.", "double"),
        ("S5x", "It made S5x% of that.", "5"),
    ],
)
def test_a_name_lets_no_number_through(instrument: str, text: str, said: str) -> None:
    facts = replace(FACTS, instruments=(instrument,))
    with pytest.raises(DraftRefused, match=said):
        check_draft(text, facts)


def test_a_draft_by_the_service_is_checked_and_only_facts_are_sent(service: Service, bundle: Bundle) -> None:
    service.answers = [(200, {}, completion(GOOD)), (200, {}, completion("It made 99 % a year."))]
    assert chatgpt_draft(FACTS) == GOOD
    [(path, body, key)] = service.asked
    assert (path, key, body["model"]) == ("/v1/chat/completions", f"Bearer {KEY}", "gpt-5-mini")
    assert body["messages"][1]["content"].splitlines() == FACTS.lines()
    assert "title" not in facts_of(strategy_of(bundle)).lines()[0]
    with pytest.raises(DraftRefused, match="found 99"):
        chatgpt_draft(FACTS)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(401, {}, {"error": {"message": f"Incorrect API key provided: {KEY}"}})], "401: the key is not taken"),
        ([(404, {}, {"error": {"message": "no such model"}})], "404: there is no such model"),
        ([(429, {"Retry-After": "0"}, {})] * 3, "429: too many requests"),
        ([(500, {"Retry-After": "0"}, b"oops")] * 3, "it answers 500"),
        ([(200, {}, b"<html>a proxy's page</html>")], "expected|Error"),
        ([(200, {}, {**ANSWER, "choices": []})], "expected a completion"),
        ([(200, {}, completion("It made 12.5", "length"))], "ended by 'length'"),
        ([(200, {}, completion(None, "content_filter"))], "ended by 'content_filter'"),
    ],
)
def test_each_error_is_one_line_without_the_key(
    service: Service, answers: list[tuple[int, dict[str, str], Any]], said: str
) -> None:
    service.answers = list(answers)
    with pytest.raises(ServiceFailed, match=said) as failed:
        chatgpt_draft(FACTS)
    assert KEY not in str(failed.value)
    assert "\n" not in str(failed.value)
    assert len(service.asked) == len(answers)


def test_it_is_asked_again_after_a_fault_and_not_waited_for_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [(503, {"Retry-After": "0"}, {}), (200, {}, completion(GOOD))]
    assert chatgpt_draft(FACTS) == GOOD
    monkeypatch.setattr(article_service, "SECONDS", 0.3)
    monkeypatch.setattr(article_service, "RETRIES", 0)
    service.is_slow.set()
    with pytest.raises(ServiceFailed, match="APITimeoutError"):
        chatgpt_draft(FACTS)


def test_without_a_key_nothing_is_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ServiceFailed, match="OPENAI_API_KEY is not set"):
        chatgpt_draft(FACTS)
    assert service.asked == []


def test_no_secret_of_the_environment_reaches_the_service_or_a_draft(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALPACA_SECRET_KEY", "STRADES_ALERT_SMTP", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "smtp://canary:canary-secret@mail.example.org")
    settings.cache_clear()
    service.answers.append((200, {}, completion(GOOD)))
    draft = chatgpt_draft(FACTS)
    [(_, body, authorization)] = service.asked
    assert authorization == f"Bearer {KEY}"
    for text in (draft, json.dumps(body), template_draft(FACTS, is_verified=True)):
        assert "hold" in text
        assert "canary" not in text
        assert KEY not in text
