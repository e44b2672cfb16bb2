"""The way into the sandbox, waiting, and redirects."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from scrapers.middlewares import LONGEST_WAIT, MAXIMUM_REDIRECTS, SandboxRedirection, back_off, redirected, told_wait
from scrapers.settings import downloader_middlewares
from strades_pipelines.settings import settings

REAL = "https://api.gateio.ws/api/v4/spot/trades?currency_pair=BTC_USDT&limit=2"
WIRE = "http://127.0.0.1:8090/api.gateio.ws/api/v4/spot/trades?currency_pair=BTC_USDT&limit=2"


def test_a_request_goes_to_the_sandbox_and_its_response_comes_from_the_real_host() -> None:
    # Pins Scrapy's private Request._set_url: any other way would schedule the request again.
    middleware, request = SandboxRedirection("http://127.0.0.1:8090/"), Request(REAL)
    middleware.process_request(request)
    assert request.url == WIRE
    response = middleware.process_response(request, Response(WIRE, body=b"x"))
    assert (request.url, response.url, response.body) == (REAL, REAL, b"x")


def test_a_failed_request_has_its_real_url_again() -> None:
    middleware, request = SandboxRedirection("http://127.0.0.1:8090"), Request(REAL)
    middleware.process_request(request)
    middleware.process_exception(request, OSError())
    assert request.url == REAL


@pytest.mark.parametrize(("world", "redirected_to_sandbox"), [("sandbox", True), ("live", False)])
def test_only_the_sandbox_world_is_redirected(
    monkeypatch: pytest.MonkeyPatch, world: str, redirected_to_sandbox: bool
) -> None:
    monkeypatch.setenv("STRADES_WORLD", world)
    settings.cache_clear()
    try:
        names = downloader_middlewares()
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert ("scrapers.middlewares.SandboxRedirection" in names) == redirected_to_sandbox
    assert any("HttpProxy" in name for name in names) != redirected_to_sandbox


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 01 Nov 2026 00:00:45 GMT", 45.0),
        ("Sun, 01 Nov 2026 00:00:45 -0000", 45.0),
        ("Sat, 31 Oct 2026 23:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
    ],
)
def test_a_retry_after_is_read_in_both_its_forms(header: str | None, wait: float | None) -> None:
    assert told_wait(header, datetime(2026, 11, 1, tzinfo=UTC)) == wait


@given(st.text(max_size=40))
def test_no_retry_after_header_breaks_it(header: str) -> None:
    wait = told_wait(header, datetime(2026, 11, 1, tzinfo=UTC))
    assert wait is None or wait >= 0


@given(st.integers(1, 60))
def test_waits_double_up_to_a_limit(tries: int) -> None:
    assert min(LONGEST_WAIT, 0.5 * 2 ** (tries - 1)) / 2 <= back_off(tries) <= min(LONGEST_WAIT, 0.5 * 2 ** (tries - 1))


@pytest.mark.parametrize(
    ("here", "location", "target"),
    [
        ("https://h.example/a/b", "c?d=1", "https://h.example/a/c?d=1"),
        ("http://h.example/a", "https://h.example/a", "https://h.example/a"),
        ("https://h.example/a", "https://h.example/b", "https://h.example/b"),
    ],
)
def test_a_redirect_on_the_same_host_is_followed(here: str, location: str, target: str) -> None:
    following = redirected(Request(here), Response(here, 302, {"Location": location}))
    assert following.url == target
    assert following.dont_filter


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/", "http://h.example/", "//evil.example/x", "https://h.example:8443/", "file:///x", ""],
)
def test_any_other_redirect_is_refused(location: str) -> None:
    with pytest.raises(IgnoreRequest):
        redirected(Request("https://h.example/a"), Response("https://h.example/a", 302, {"Location": location}))


def test_redirects_do_not_go_round_for_ever() -> None:
    request = Request("https://h.example/0")
    for i in range(MAXIMUM_REDIRECTS):
        request = redirected(request, Response(request.url, 302, {"Location": f"/{i}"}))
    with pytest.raises(IgnoreRequest):
        redirected(request, Response(request.url, 302, {"Location": "/again"}))
