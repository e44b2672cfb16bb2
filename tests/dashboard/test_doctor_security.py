"""The dashboard as `strades doctor --security` asks it over HTTP: it passes, and each planted fault does not."""

import threading
from collections.abc import Callable, Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from strades_pipelines.installation.security_check import dashboard_faults


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url(site: str, client_of: Callable[..., object]) -> Iterator[str]:
    """Where the dashboard is served, with an account."""
    from django.core.wsgi import get_wsgi_application

    client_of("admin")
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_is_served_is_as_the_page_says(url: str) -> None:
    assert dashboard_faults(url) == []


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DEBUG", True, "DEBUG is on"),
        ("CSRF_COOKIE_HTTPONLY", False, "cookie strades_csrf is not httponly"),
        ("CSRF_COOKIE_SAMESITE", "None", "cookie strades_csrf is sent from other sites"),
    ],
)
def test_a_planted_fault_is_named(url: str, setting: str, value: object, said: str) -> None:
    from django.test import override_settings

    with override_settings(**{setting: value}):
        assert any(said in fault for fault in dashboard_faults(url))
