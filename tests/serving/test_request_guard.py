"""The rules of the guard that need no server: what it logs, and that a name is ours or it is not."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.serving.webserver import guarded_app
from strades_pipelines.settings import Settings, SettingsError, settings
from strades_pipelines.system.request_guard import RequestGuard

PORT = 3000
OWN = ("127.0.0.1:3000", "localhost:3000", "[::1]:3000")


async def nothing_behind(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the application, which a refused request must not reach."""
    raise AssertionError("it was served")


def request(host: str, origin: str | None = None, *, path: str = "/", query: bytes = b"") -> dict[str, Any]:
    """The ASGI scope of a GET."""
    sent = {"host": host, **({} if origin is None else {"origin": origin})}
    headers = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    fields = {"path": path, "query_string": query, "headers": headers, "server": ("127.0.0.1", PORT)}
    return {"type": "http", "method": "GET", **fields}


GUARD = RequestGuard(nothing_behind, {})


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_other_name_is_one_of_ours(host: str) -> None:
    assert (GUARD.refusal(request(host)) is None) == (host.lower() in OWN)


@given(st.sampled_from(OWN), st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_other_origin_is_that_of_the_host_asked(host: str, origin: str) -> None:
    assert (GUARD.refusal(request(host, origin)) is None) == (origin == f"http://{host}")
    assert GUARD.refusal(request(host, f"http://{host}")) is None


def test_a_refusal_is_logged_once_and_without_what_the_page_chose_to_write(caplog: pytest.LogCaptureFixture) -> None:
    guard = RequestGuard(nothing_behind, {})
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = request("127.0.0.1:3000", "http://evil.example", path="/runs\nforged", query=b"token=secret")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]
    assert [message["status"] for message in sent if "status" in message] == [403] * 3
    [line] = caplog.messages
    assert line == ("refused 'GET /runs\\nforged from http://evil.example': the Origin header names another site")


@pytest.mark.parametrize("is_talkative", [False, True])
def test_a_web_socket_ends_when_its_time_is_over_whether_its_client_is_silent_or_not(is_talkative: bool) -> None:
    received, sent = list[str](), list[dict[str, Any]]()

    async def subscriptions(scope: Any, receive: Any, send: Any) -> None:
        while not received or received[-1] != "websocket.disconnect":
            received.append((await receive())["type"])
            await asyncio.sleep(0)
        await send({"type": "websocket.send", "text": "an answer that crosses the end"})

    async def receive() -> dict[str, Any]:
        if not is_talkative:
            await asyncio.Event().wait()
        return {"type": "websocket.receive", "text": "ka"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    guard = RequestGuard(subscriptions, {}, web_sockets=("graphql",), web_socket_seconds=0.2)
    scope = {**request(OWN[0], path="/graphql"), "type": "websocket"}
    began = time.monotonic()
    asyncio.run(guard(scope, receive, send))  # type: ignore[arg-type]
    assert time.monotonic() - began >= 0.2
    assert sent == [{"type": "websocket.close", "code": 1001}]
    assert received.count("websocket.disconnect") == 1


def test_a_web_socket_that_ends_by_itself_is_not_touched() -> None:
    received: list[str] = []

    async def subscriptions(scope: Any, receive: Any, send: Any) -> None:
        received.append((await receive())["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.disconnect", "code": 1000}

    guard = RequestGuard(subscriptions, {}, web_sockets=("graphql",), web_socket_seconds=60)
    scope = {**request(OWN[0], path="/graphql"), "type": "websocket"}
    asyncio.run(guard(scope, receive, None))  # type: ignore[arg-type]
    assert received == ["websocket.disconnect"]


def test_dagsters_web_sockets_end_after_the_hour_that_the_docs_promise(tmp_path: Path) -> None:
    with (
        DagsterInstance.local_temp(str(tmp_path)) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        assert guarded_app(context, ()).web_socket_seconds == 3600


@pytest.mark.parametrize("hosts", ["a/b", "http://", "*.example.org", "ftp://a", "a b", "user@a", "a:99999999"])
def test_a_public_host_that_is_none_is_refused(hosts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_PUBLIC_HOST", hosts)
    settings.cache_clear()
    with pytest.raises(SettingsError, match="STRADES_PUBLIC_HOST: "):
        settings()
    settings.cache_clear()


def test_the_readonly_webserver_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().readonly_port is None
    monkeypatch.setenv("STRADES_READONLY_PORT", "3001")
    assert Settings().readonly_port == 3001
