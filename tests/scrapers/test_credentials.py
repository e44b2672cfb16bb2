"""A provider's key is sent, and stands nowhere else: not in what is stored, said or logged, however it is echoed."""

import base64
import html
import json
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from scrapers.credentials import header_value, with_parameter
from scrapers.plan import Auth
from strades_pipelines.settings import SettingsError, secret
from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.misbehaving import raw_server, response

KEY = "Canary+/9:zz&<q>7731"
ECHOES = [
    KEY,
    KEY.lower(),
    quote(KEY, safe=""),
    quote(quote(KEY, safe=""), safe=""),
    json.dumps(KEY).replace("/", "\\/"),
    html.escape(KEY),
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(f"me:{KEY}".encode()).decode(),
]
QUERY = {"place": "query", "name": "api_key", "variable": "CANARY_API_KEY", "scheme": None}
HEADER = {"place": "header", "name": "X-CMC", "variable": "CANARY_API_KEY", "scheme": None}
BASIC = {"place": "header", "name": "Authorization", "variable": "CANARY_API_KEY", "scheme": "Basic"}


def everything(connection: "psycopg.Connection[Any]") -> str:
    """All rows that a crawl writes, with its bodies."""
    tables = ("fetches", "protocols_storage", "live_scrapper_logs_info")
    rows = [text for name in tables for (text,) in connection.execute(f"SELECT t::text FROM rawsources.{name} AS t")]
    import zstandard

    for (packed,) in connection.execute("SELECT body FROM rawsources.bodies"):
        rows.append(zstandard.ZstdDecompressor().decompress(packed).decode("latin-1"))
    return "\n".join(rows)


@pytest.mark.parametrize("auth", [QUERY, HEADER, BASIC], ids=["query", "header", "basic"])
def test_a_key_is_sent_and_masked_in_every_form_it_comes_back_in(
    crawl: Crawl, connection: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch, auth: dict[str, Any]
) -> None:
    monkeypatch.setenv("CANARY_API_KEY", KEY)
    body = "\n".join(ECHOES).encode()
    link = f"Link: <https://h.example/x?page=2&api_key={quote(KEY, safe='')}>".encode()
    answers = {
        "/h.example/good": response(body, link, f"X-Echo: {KEY}".encode()),
        "/h.example/bad": response(body, status=b"403 Forbidden"),
        "/h.example/long": response(KEY.encode() * 2_000, status=b"403 Forbidden"),
        "/h.example/moved": response(b"", f"Location: https://evil.example/{KEY}".encode(), status=b"302 Found"),
    }
    asked: list[str] = []
    with raw_server(answers, asked) as server:
        done = crawl(*(ask(f"https:/{path}?symbol=A", request_key=path) for path in answers), server=server, auth=auth)
    assert done.code == 0, done.stderr
    sent = {"query": f"&api_key={quote(KEY, safe='')}", "X-CMC": KEY, "Authorization": ECHOES[6]}
    wanted = sent["query" if auth["place"] == "query" else auth["name"]]
    assert len(asked) == 4
    assert all(wanted in head for head in asked)
    left = everything(connection) + json.dumps(done.summary) + done.stderr
    assert [echo for echo in ECHOES if echo.lower() in left.lower()] == []
    assert "canary" not in left.lower()
    urls = {url for (url,) in connection.execute("SELECT url FROM rawsources.fetches")}
    assert urls == {f"https:/{path}?symbol=A" for path in answers}
    assert "HTTP 403: ***" in left


def test_both_headers_of_a_key_in_two_parts_are_sent_and_masked(
    crawl: Crawl, connection: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = HEADER | {"second": {"place": "header", "name": "X-Secret", "variable": "CANARY_SECRET"}}
    monkeypatch.setenv("CANARY_API_KEY", KEY)
    done = crawl(ask("https://h.example/x"), auth=auth)
    assert (done.code, "CANARY_SECRET is not set" in done.stderr) == (1, True)
    monkeypatch.setenv("CANARY_SECRET", "other-part-of-99")
    asked: list[str] = []
    with raw_server({"/h.example/good": response(f"{KEY} other-part-of-99".encode())}, asked) as server:
        done = crawl(ask("https://h.example/good"), server=server, auth=auth)
    assert done.code == 0, done.stderr
    wanted = (f"x-cmc: {KEY}".lower(), "x-secret: other-part-of-99")
    assert [part for part in wanted if part not in asked[0].lower()] == []
    left = everything(connection) + json.dumps(done.summary) + done.stderr
    assert "*** ***" in left
    assert "other-part" not in left


def test_a_missing_key_is_one_line_that_names_the_variable_and_the_protocol(crawl: Crawl) -> None:
    done = crawl(ask("https://h.example/x"), auth=QUERY)
    assert done.code == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("scrapers: protocol test_protocol: CANARY_API_KEY is not set: put the provider's key into")


def test_a_key_is_not_sent_in_the_open(crawl: Crawl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_API_KEY", KEY)
    asked: list[str] = []
    with raw_server({}, asked) as server:
        done = crawl(ask("http://h.example/x"), server=server, auth=QUERY)
    assert asked == []
    assert done.summary["failed"][0]["error"] == "not asked: a key is sent over https alone"


def test_header_values_and_parameters() -> None:
    auth = Auth("header", "Authorization", "X_KEY", "Basic")
    assert header_value(auth, "user:password") == "Basic dXNlcjpwYXNzd29yZA=="  # RFC 7617 has such an example
    assert header_value(Auth("header", "A", "X_KEY", "Bearer"), "abc") == "Bearer abc"
    assert with_parameter("https://h/x?a=1&key=old", "key", "n&w") == "https://h/x?a=1&key=n%26w"


@pytest.mark.parametrize("value", ["short", "with a blank in it", "line\nfeed-in-it", "umlaut-schl\u00fcssel"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CANARY_API_KEY", value)
    with pytest.raises(SettingsError) as refusal:
        secret("CANARY_API_KEY")
    assert value not in str(refusal.value)
    assert "CANARY_API_KEY: expected" in str(refusal.value)
