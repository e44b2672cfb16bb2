"""The stored series are the ones of the package that they were copied from."""

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest

from sandbox import fred
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.sandbox.conftest import Worlds

# Lines of the RECORD of the wheel arch 8.0.0: the hash that its author's build gave each file.
RECORD = {
    "core-cpi": "gfyRLVlnrSP0s3IqEPdoZwNEBTVLjwPzlR684x5b1BI",
    "default": "zFRTBoztx-9INpVjWNzh0g6vHmObacMQenUxqOa7mC0",
    "vix": "QQvQc2DceY9yBtaBuDR8YVDn-9iwX7GuKbviyZhdZu8",
    "wti": "uDSYiUE4plzcFKZ_wXFqqQs8_aJ0-Xa9NpLMPxUACE0",
}


@pytest.mark.parametrize("name", RECORD)
def test_a_file_is_byte_for_byte_that_of_the_package(name: str) -> None:
    digest = hashlib.sha256((fred.DATA / f"{name}.csv.gz").read_bytes()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == RECORD[name]


def test_every_series_has_its_file_and_the_licence_and_origin_lie_beside_them() -> None:
    assert {file for file, _, _ in fred.SERIES.values()} == set(RECORD)
    assert {path.name for path in fred.DATA.iterdir()} == {"README.md", "LICENSE.md", *(f"{n}.csv.gz" for n in RECORD)}
    assert all(fred.observations(series) for series in fred.SERIES)


def test_the_interface_says_what_the_file_says_with_the_day_on_which_each_value_was_out(world_at: Worlds) -> None:
    world = world_at("2012-03-01T12:00:00Z")
    asked = {"series_id": "CPILFESL", "file_type": "json", "api_key": "any-key-at-all", "limit": "100000"}
    body = fred.api_answer(world, fred.API_PATH, asked).body
    parsed = parse(load_protocol("fred_observations"), body, given={"symbol": "CPILFESL"}, fetched_at=world.now())
    rows = parsed.tables["observation"].to_pylist()
    file = fred.answer(world, fred.PATH, {"id": "CPILFESL"}).body
    given = {"symbol": "CPILFESL", "lag_days": "50", "unit": "index"}
    told = parse(load_protocol("fred_csv"), file, given=given, fetched_at=world.now()).tables["observation"].to_pylist()
    assert [(row["event_time"], row["value"]) for row in rows] == [(row["event_time"], row["value"]) for row in told]
    assert rows[-1]["event_time"].date() == date(2012, 1, 1)  # of February nothing was out
    assert {row["vintage"] - row["event_time"].date() for row in rows} == {timedelta(days=50)}
    assert all(row["knowledge_time"] <= world.now() for row in rows)


@pytest.mark.parametrize("change", [{"api_key": ""}, {"series_id": "NONE"}, {"file_type": "xml"}, {"limit": "0"}])
def test_what_the_interface_refuses_is_no_data(world_at: Worlds, change: dict[str, str]) -> None:
    asked = {"series_id": "AAA", "file_type": "json", "api_key": "any-key-at-all"} | change
    reply = fred.api_answer(world_at("2012-03-01T12:00:00Z"), fred.API_PATH, asked)
    assert reply.status == 400
    with pytest.raises(BodyRefused, match="Bad Request"):
        parse(load_protocol("fred_observations"), reply.body, given={"symbol": "AAA"}, fetched_at=datetime.now(UTC))
