"""In the live world no source can make this machine open a private address."""

import asyncio
from collections.abc import Iterator

import pytest

from strades_pipelines.ingestion.streams.address import AddressRefused, _is_public, open_socket, wire_url
from strades_pipelines.settings import settings

PRIVATE = ["localhost", "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"]
PRIVATE += ["[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.1.2.3]", "[fec0::1]", "[ff0e::1]", "224.0.0.1"]


@pytest.fixture
def _live(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STRADES_WORLD", "live")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("_live")
@pytest.mark.parametrize("host", PRIVATE)
def test_25_a_private_address_is_refused_before_anything_is_sent(host: str) -> None:
    with pytest.raises(AddressRefused, match=r"expected .* on the public internet"):
        asyncio.run(open_socket(f"wss://{host}/x"))


@pytest.mark.usefixtures("_live")
def test_25_only_an_encrypted_stream_is_opened() -> None:
    with pytest.raises(AddressRefused, match="expected a wss:// address"):
        asyncio.run(open_socket("ws://93.184.216.34/x"))
    assert wire_url("wss://a.example/x") == "wss://a.example/x"


def test_the_sandbox_has_every_host_on_this_machine() -> None:
    assert wire_url("wss://a.example/x?y=1") == f"{settings().sandbox_url.replace('http', 'ws')}/a.example/x?y=1"


def test_a_public_address_is_public_by_nat64_too() -> None:
    assert all(_is_public(address) for address in ("93.184.216.34", "2606:4700::1", "64:ff9b::93.184.216.34"))
