"""A list of sources that is not one, and names in it that mean something elsewhere: refused, and nothing is shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from strades_pipelines.datamanager.planning import plan
from strades_pipelines.datamanager.sources import SourcesError, load_sources
from tests.datamanager.conftest import Write
from tests.datamanager.test_sources import F, W, changed

NOT_SOURCES = ("/etc/shadow", "/etc/passwd", "/etc", "/dev/zero", "/dev/full", "/dev/stdin", "/proc/self/environ")


@pytest.mark.parametrize("name", NOT_SOURCES)
def test_another_file_of_the_machine_is_refused_and_not_shown(name: str) -> None:
    path = Path(name)
    if not path.exists():
        pytest.skip(f"no {name} on this machine")
    with pytest.raises(SourcesError) as refused:
        load_sources(path)
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 300
    assert not [word for word in ("root:", "nobody", "PATH=", "/bin/") if word in said]


def test_a_password_file_is_not_shown_where_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "shadow"
    for text in ("root:$6$CANARY:19000:0:99999:7:::\n", '{"CANARY": CANARY}', '["CANARY"', "CANARY", '"CANARY'):
        path.write_text(text)
        with pytest.raises(SourcesError) as refused:
            load_sources(path)
        assert "CANARY" not in str(refused.value)


HOSTILE_TEXTS = (
    "x\r\nSet-Cookie: a=b",
    "x\n",
    "\nx",
    "x\ry",
    "x\u2028y",
    "x\u202ey",
    "x'; DROP TABLE records.listings; --",
    "../../../etc/passwd;",
    "x y",
    "x?a=b&c",
    "x#y",
    "",
    "x" * 10_000,
)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
@pytest.mark.parametrize(
    "path", [(F, 0, "symbol"), (W, 0, "name"), (F, 0, "id"), (W, 0, "protocol"), (F, 0, "venue"), (W, 0, "venue")]
)
def test_a_name_that_means_something_elsewhere_is_refused_by_its_path(
    write: Write, path: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(SourcesError) as refused:
        load_sources(write(changed(path, text)))
    assert str(refused.value).startswith(f"Sources.json: {path[0]}[0]")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ".", "gateio_candles/../gateio_candles"])
def test_a_protocol_is_no_path(write: Write, name: str) -> None:
    with pytest.raises(SourcesError, match=r"websites\[0\].protocol: expected a name"):
        load_sources(write(changed((W, 0, "protocol"), name)))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", "data:,x", "//h.example/", "http://"])
def test_an_address_of_another_kind_is_refused(write: Write, url: str) -> None:
    with pytest.raises(SourcesError, match=r"websites\[0\].url: expected an http or https address"):
        load_sources(write(changed((W, 0, "url"), url)))


@pytest.mark.parametrize("symbol", ["..", "../../../etc/passwd"])
def test_a_symbol_of_dots_stays_within_its_place_in_the_address(write: Write, symbol: str) -> None:
    sources, now = load_sources(write(changed((F, 0, "symbol"), symbol))), datetime(2026, 11, 1, tzinfo=UTC)
    requests = plan(sources.websites[0], sources, window=(now - timedelta(hours=1), now), now=now, log={})
    assert requests
    for request in requests:
        parts = urlsplit(request.url)
        assert (parts.netloc, parts.path) == ("api.gateio.ws", "/api/v4/spot/candlesticks")
        assert parse_qs(parts.query)["currency_pair"] == [symbol]
