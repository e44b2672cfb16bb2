"""The 4D view in a browser that draws: from a fill to its bytes, over time, and what a step of the slider costs."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.system.ports import free_port
from tests.conftest import cloned
from tests.dashboard.browser.conftest import Installation, PageOf, State, dashboard_running
from tests.dashboard.browser.pages import left_in_english, picture_for_docs, screenshots, violations
from tests.dashboard.browser.watching import Watched
from tests.dashboard.browser.world import fill
from tests.serving.browsing import browser_program
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

# Counts what reaches the graphics, whatever the page says of itself.
COUNT = """
    window.calls = {drawArrays: 0, drawElements: 0, bufferData: 0, bufferSubData: 0, createBuffer: 0, createProgram: 0,
        frames: 0, listeners: 0};
    for (const name of Object.keys(calls)) {
        const real = WebGL2RenderingContext.prototype[name];
        if (real) WebGL2RenderingContext.prototype[name] = function (...given) {
            calls[name]++;
            return real.apply(this, given);
        };
    }
    const frame = window.requestAnimationFrame, listen = EventTarget.prototype.addEventListener;
    window.requestAnimationFrame = back => { calls.frames++; return frame.call(window, back); };
    EventTarget.prototype.addEventListener = function (...given) {
        calls.listeners++;
        return listen.apply(this, given);
    };
"""
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
MOVE = """async value => {
    const slider = document.getElementById('space-to');
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
}"""
# Pixels whose colour is near that of a token of the style sheet: how many, and where the first of them is on the page.
PIXELS = """async token => {
    const canvas = document.getElementById('space-canvas');
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const drawing = copy.getContext('2d');
    document.querySelector('[data-act=home]').click();
    await new Promise(done => requestAnimationFrame(() => { drawing.drawImage(canvas, 0, 0); done(); }));
    const wanted = parseInt(getComputedStyle(document.documentElement).getPropertyValue(token).trim().slice(1), 16);
    const [r, g, b] = [wanted >> 16, wanted >> 8 & 255, wanted & 255];
    const found = drawing.getImageData(0, 0, copy.width, copy.height).data;
    const near = (n, part, value) => Math.abs(found[n * 4 + part] - value) < 24;
    const all = [...Array(found.length / 4).keys()].filter(
        n => found[n * 4 + 3] > 200 && near(n, 0, r) && near(n, 1, g) && near(n, 2, b));
    const box = canvas.getBoundingClientRect(), scale = box.width / copy.width;
    return {
        count: all.length, x: box.left + (all[0] % copy.width + .5) * scale,
        y: box.top + (Math.floor(all[0] / copy.width) + .5) * scale,
    };
}"""
ONE_FILL = "SELECT fill_id, decision_id FROM trading.fills INNER JOIN trading.intents USING (intent_id) {} LIMIT 1"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser that draws WebGL without a graphics card."""
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    options = ["--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_program(), args=options)
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def installation(template: str, browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The dashboard after the marts were built, without Dagster, of which these pages ask nothing."""
    with cloned(template) as url:
        fill(url)
        with dashboard_running(url, free_port()) as address:
            yield Installation(address, url, "", tmp_path_factory.mktemp("none"), lambda: None)


def opened(watched: Watched, path: str) -> Any:
    """The page of a path, once it has drawn."""
    watched.page.add_init_script(COUNT)
    assert watched.goto(path) == 200
    watched.page.wait_for_selector("#space[data-ready]")
    watched.page.evaluate(SETTLED)
    return watched.page


def calls(page: Any) -> dict[str, int]:
    """What was called so far."""
    found: dict[str, int] = page.evaluate("({...calls})")
    return found


def test_from_a_fill_back_to_its_bytes_and_before_its_decision_it_vanishes(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    with connect(installation.database) as connection:
        row = connection.execute(ONE_FILL.format("ORDER BY filled_at DESC")).fetchone()
    assert row is not None
    fill, decision = row
    watched = page_of(admin)
    watched.goto(f"/trace/{fill}/")
    watched.page.add_init_script(COUNT)
    watched.follow("text=Open in 4D")
    page = watched.page
    page.wait_for_selector("#space[data-ready]")
    # Its nodes are picked from the table, as by keyboard, until the bytes.
    for name in (fill, decision, "candle:"):
        watched.follow(f"main td:has(.id:text('{name}')) a >> nth=0")
        page.wait_for_selector("#space[data-ready]")
    watched.follow("main section:has-text('Rests on') td:has(.id:text('fetch:')) a >> nth=0")
    watched.follow("main section:has-text('Rests on') >> text=bytes")
    page.wait_for_selector("h1")
    assert "/bodies/" in page.url
    page = opened(watched, f"/4d/?trace={fill}")
    drawn = page.inner_text("#space-status")
    decided = page.evaluate("document.getElementById('space-to').max")
    assert page.evaluate(PIXELS, "--plane8")["count"] > 0  # the fill, on the plane of the fills
    page.evaluate(MOVE, page.evaluate("document.getElementById('space-to').min"))
    assert page.evaluate(PIXELS, "--plane8")["count"] == 0
    seen, all_nodes = (int(part.split()[0]) for part in page.inner_text("#space-status").split("·")[1].split("/"))
    assert 0 < seen < all_nodes
    page.evaluate(MOVE, decided)
    assert page.inner_text("#space-status") == drawn


def test_a_step_of_the_slider_draws_twice_and_uploads_nothing_however_often(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    watched = page_of(admin)
    page = opened(watched, "/4d/?from=2024-01-01&to=2024-01-03")
    page.wait_for_timeout(400)
    assert calls(page)["frames"] == calls(page)["frames"]
    idle = calls(page)
    page.wait_for_timeout(400)
    assert calls(page)["drawArrays"] == idle["drawArrays"], "it draws though nothing moves"
    low, high = (int(page.evaluate(f"document.getElementById('space-to').{end}")) for end in ("min", "max"))
    before = calls(page)
    page.evaluate(MOVE, (low + high) // 2)
    page.evaluate(SETTLED)
    after = calls(page)
    assert after["drawArrays"] - before["drawArrays"] == 2
    nodes = page.evaluate("document.querySelectorAll('*').length")
    for n in range(200):
        page.evaluate(MOVE, low + (high - low) * (n % 50) // 50)
    page.evaluate(SETTLED)
    moved = calls(page)
    for name in ("drawElements", "bufferData", "bufferSubData", "createBuffer", "createProgram", "listeners"):
        assert moved[name] == before[name], name
    assert moved["drawArrays"] - after["drawArrays"] <= 2 * 201
    assert page.evaluate("document.querySelectorAll('*').length") == nodes


def test_planes_selection_time_and_a_lost_context(installation: Installation, admin: State, page_of: PageOf) -> None:
    watched = page_of(admin)
    page = opened(watched, "/4d/?from=2024-01-01&to=2024-01-03&mode=window&planes=28")
    pressed = (
        "[...document.querySelectorAll('[data-plane][aria-pressed=true]')].map(chip => chip.dataset.plane).join('')"
    )
    assert page.evaluate(pressed) == "28"
    assert page.input_value("#space-mode") == "window"
    assert page.is_visible("#space-from")
    assert page.is_visible("#space-slow"), "SwiftShader is slow, and is not told so"
    page.focus("[data-act=solo]")
    for key, shown in (("1", "128"), ("2", "18"), ("8", "1")):
        page.keyboard.press(key)
        assert page.evaluate(pressed) == shown
    page.click("[data-act=pair]")
    assert page.evaluate(pressed) == "12"
    page.click("[data-act=all]")
    page.keyboard.press("ArrowLeft")
    page.select_option("#space-mode", "as-of")
    uploads = calls(page)["bufferSubData"]
    page.locator("#space-canvas").scroll_into_view_if_needed()
    place = page.evaluate(PIXELS, "--plane8")
    page.mouse.click(place["x"], place["y"])
    page.wait_for_selector("#space-panel >> text=First known")
    assert calls(page)["bufferSubData"] - uploads >= 2
    page.wait_for_url(lambda url: "focus=" in url)
    focused = page.url
    page.evaluate(
        "window.lost = document.getElementById('space-canvas').getContext('webgl2').getExtension('WEBGL_lose_context');"
        "lost.loseContext()"
    )
    page.wait_for_timeout(100)
    programs = calls(page)["createProgram"]
    page.evaluate("lost.restoreContext()")
    wait_until(lambda: calls(page)["createProgram"] > programs)
    page.evaluate(SETTLED)
    assert page.evaluate(PIXELS, "--plane8")["count"] > 0
    assert violations(page) == []
    again = page_of(admin)
    again.page.add_init_script(COUNT)
    again.goto(focused.removeprefix(watched.url))
    again.page.wait_for_selector("#space-panel >> text=First known")
    # What cannot be read is said once; it is no reason to load the page again.
    page = again.page
    asked: list[str] = []

    def fail(route: "Route") -> None:
        asked.append(route.request.url)
        route.fulfill(status=500)

    page.route("**/4d/node/**", fail)
    page.goto(focused)
    page.wait_for_selector("#space-panel >> text=could not be read")
    page.wait_for_timeout(600)
    assert len(asked) == 1
    assert all("500" in text for text in again.wrong)
    again.wrong.clear()
    # Play comes to its end, which is later than what is known first.
    page.unroute("**/4d/node/**")
    page.select_option("#space-speed", "60")
    page.select_option("#space-step", "bar")
    page.evaluate(MOVE, page.evaluate("document.getElementById('space-to').max - 1"))
    page.click("#space-play")
    page.wait_for_selector("#space-play[aria-pressed=false]")
    assert page.evaluate("document.getElementById('space-to').value === document.getElementById('space-to').max")
    # No plane at all is an address too.
    page.focus("[data-act=solo]")
    page.click("[data-act=all]")
    for key in "123456789":
        page.keyboard.press(key)
    page.wait_for_timeout(600)
    assert "planes=0" in page.url
    page.reload()
    page.wait_for_selector("#space[data-ready]")
    assert page.evaluate(pressed) == ""


def test_without_a_script_and_on_a_phone_the_picture_and_the_tables_say_the_same(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    plain = page_of(admin, script=False, viewport={"width": 390, "height": 844})
    plain.goto("/4d/?from=2024-01-01&to=2024-01-03")
    page = plain.page
    assert not page.is_visible("#space")
    assert page.locator("svg.relations a").count() >= 4
    plain.follow("svg.relations a >> nth=0")
    assert "asset=" in page.url
    plain.follow("h2:text('Nodes') >> xpath=../.. >> tbody a >> nth=0")
    page.wait_for_selector("text=Leads to")
    plain.send('button[value="fr"]')
    assert left_in_english(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with connect(installation.database) as connection:
        row = connection.execute(ONE_FILL.format("")).fetchone()
    assert row is not None
    watched = page_of(admin)
    paths = (
        "/4d/?from=2023-06-01&to=2024-01-03&level=asset",
        "/4d/?from=2024-01-01&to=2024-01-03",
        f"/4d/?trace={row[0]}",
    )
    for path in paths if os.environ.get("STRADES_SCREENSHOTS") else ():
        opened(watched, path)
        screenshots(watched.page, path, "light", "dark")
    if os.environ.get("STRADES_DOCS_PICTURES"):
        opened(watched, paths[-1])
        picture_for_docs(watched.page, "4d", begins_at="#space")
