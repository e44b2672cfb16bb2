"""A real browser, and a site that is not ours for it to visit."""

import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ON_A_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# Names that a stranger owns; in the tests they resolve to this machine, as with DNS rebinding.
STRANGER, REBOUND = "evil.example", "rebound.example"


def browser_program() -> str:
    """The path of Chromium. Where there is none the test is skipped, and fails in CI."""
    found = [path for path in map(shutil.which, PROGRAMS) if path] + [str(ON_A_MAC)] * ON_A_MAC.exists()
    if found:
        return found[0]
    missing = "no browser for the cross-origin trials; on Debian: apt-get install chromium"
    if "CI" in os.environ:
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def browser_running(*arguments: str) -> "Iterator[Browser]":
    """A browser without a window that knows the stranger's names."""
    from playwright.sync_api import sync_playwright

    program = browser_program()
    names = ", ".join(f"MAP {name} 127.0.0.1" for name in (STRANGER, REBOUND))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[f"--host-resolver-rules={names}", "--disable-dev-shm-usage", *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


class _EmptyPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with an empty page that forbids nothing; the test runs its script there."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>A stranger's page</title><body></body>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def strange_site() -> Iterator[int]:
    """Serve the stranger's page; yields its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
