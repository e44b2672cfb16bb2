"""A real browser: a stranger's page changes and reads nothing, and Dagster's own pages work behind the guard."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving.browsing import REBOUND, STRANGER, browser_running, strange_site
from tests.serving.serving import LAUNCH, Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ATTACK = (Path(__file__).parent / "attack.js").read_text().partition("\n")[2]
REPORTS = (
    "report_asset_materialization/bars?partition=2012-03-01",
    "report_asset_check/bars?check_name=is_complete&passed=true",
)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One for the file."""
    with browser_running() as started:
        yield started


@pytest.fixture(scope="module")
def strange_port() -> Iterator[int]:
    """Where the stranger's site is served."""
    with strange_site() as port:
        yield port


@pytest.mark.parametrize(
    ("stranger", "host"),
    [
        (STRANGER, "127.0.0.1"),  # cross-site
        ("127.0.0.1", "127.0.0.1"),  # same site: browsers do not look at the port there
        (STRANGER, REBOUND),  # the stranger's own name leads to our server
    ],
)
def test_a_strangers_page_changes_and_reads_nothing(
    served: Served, browser: "Browser", strange_port: int, stranger: str, host: str
) -> None:
    mutations = [served.stop_mutation(), LAUNCH]
    asked = {"target": f"http://{host}:{served.port}", "mutations": mutations, "reports": REPORTS}
    with served.unchanged(), browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://{stranger}:{strange_port}/")
        seen = page.evaluate(ATTACK, asked)
    ways = {line.split(":")[0] for line in seen}
    assert {"GET", "POST json", "WebSocket", "report"} <= ways, seen
    assert not [line for line in seen if "read" in line or line.endswith(": loaded")], seen


def test_a_rebound_name_reads_nothing_of_what_is_then_its_own_origin(served: Served, browser: "Browser") -> None:
    with browser.new_context() as context:
        page = context.new_page()
        response = page.goto(f"http://{REBOUND}:{served.port}/")
        assert response is not None
        assert response.status == 403
        asked = {"target": f"http://{REBOUND}:{served.port}", "mutations": [LAUNCH], "reports": REPORTS}
        with served.unchanged():
            seen = page.evaluate(ATTACK, asked)
    read = {line.partition("read ")[2] for line in seen if "read" in line}
    assert read
    assert all(answer.startswith("403 refused: ") for answer in read)


def test_our_own_pages_work(served: Served, browser: "Browser") -> None:
    with browser.new_context() as context:
        page = context.new_page()
        wrong: list[str] = []
        frames: list[str | bytes] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
        page.goto(f"{served.url}/assets/bars")
        page.get_by_text("Latest materialization").first.wait_for(timeout=60_000)
        page.goto(f"{served.url}/automation")
        page.get_by_text("trade_sensor").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1000)  # for what it asks afterwards
        assert wrong == []
        assert any("connection_ack" in str(frame) for frame in frames)


def test_a_link_on_a_strangers_page_leads_to_ours(served: Served, browser: "Browser", strange_port: int) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://{STRANGER}:{strange_port}/")
        page.evaluate("url => { location.href = url }", f"{served.url}/runs")
        page.wait_for_url(f"{served.url}/runs", timeout=60_000)
        assert "Dagster" in page.content()


def test_a_stranger_can_not_frame_our_page(served: Served, browser: "Browser", strange_port: int) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://{STRANGER}:{strange_port}/")
        with page.expect_response(f"{served.url}/runs") as framed:
            page.evaluate(
                "url => { document.body.append(Object.assign(document.createElement('iframe'), {src: url})) }",
                f"{served.url}/runs",
            )
        assert framed.value.status == 403
