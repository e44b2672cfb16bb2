"""Each protocol says what its data are, and what can be looked up of that is true of a body."""

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol, make_protocol, protocol_names
from strades_pipelines.ingestion.parse import READERS, TIMES
from strades_pipelines.ingestion.values import instants
from strades_pipelines.settings import PROJECT
from tests.ingestion import fuzz

FOLDER = PROJECT / "scrapers" / "protocols"
STATED = ("units", "row_order", "limits", "paging", "finality", "knowledge", "attribution")


def times_in_the_order_of_the_body(name: str) -> Iterator[list[int]]:
    """When the rows of each output happened, as a body of the provider has them."""
    protocol, specimen = load_protocol(name), fuzz.specimen(name)
    reader = READERS[protocol.read.format](protocol.read, specimen.body)
    for output in protocol.read.outputs:
        field = next(each for each in TIMES if each in output.fields)
        block = reader.block(output)
        found = instants(block.cells[field], output.fields[field].unit)
        times = [int(time) for time, absent in zip(found.values, found.absent, strict=True) if not absent]
        yield list(dict.fromkeys(times)) if output.layout == "matrix" else times  # read column by column


@pytest.mark.parametrize("name", [name for name in protocol_names() if "quotes" not in name])
def test_rows_come_in_the_order_that_is_stated(name: str) -> None:
    order = load_protocol(name).datasheet.row_order
    for times in times_in_the_order_of_the_body(name):
        rises = all(one <= other for one, other in pairwise(times))
        falls = all(one >= other for one, other in pairwise(times))
        assert {"oldest_first": rises, "newest_first": falls, "none": True}[order]


@pytest.mark.parametrize("missing", STATED)
def test_a_protocol_that_does_not_say_it_is_refused(missing: str) -> None:
    document = json.loads((FOLDER / "ecb_fx_daily.json").read_text())
    del document["datasheet"][missing]
    with pytest.raises(ProtocolError, match=rf"datasheet: expected the key '{missing}'"):
        make_protocol(document)
    document["datasheet"][missing] = ""
    with pytest.raises(ProtocolError, match=rf"datasheet\.{missing}: expected"):
        make_protocol(document)


def test_a_protocol_without_a_datasheet_and_one_that_hides_whom_to_name_are_refused() -> None:
    document = json.loads((FOLDER / "ecb_fx_daily.json").read_text())
    nameless = document | {"datasheet": document["datasheet"] | {"attribution": "none needed"}}
    with pytest.raises(ProtocolError, match=r"datasheet\.attribution: expected whom to name, as export says"):
        make_protocol(nameless)
    del document["datasheet"]
    with pytest.raises(ProtocolError, match="expected the key 'datasheet'"):
        make_protocol(document)


@pytest.mark.parametrize("name", protocol_names())
def test_what_is_said_of_pages_and_of_passing_on_is_what_the_protocol_does(name: str) -> None:
    protocol = load_protocol(name)
    sheet, paging = protocol.datasheet, protocol.ask.paging
    assert sheet.paging.startswith("no pages") == (paging is None)
    assert paging is None or f"{paging.size:,}" in sheet.paging
    refused = sheet.attribution == "none: not to be passed on"
    assert not refused or protocol.export == "own_use"
