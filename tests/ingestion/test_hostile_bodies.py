"""Bodies made to cost memory or to read what is not theirs: each is refused in one line, all in little memory."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.ingestion.conftest import GATE, NOW

BOMB_BYTES = 600_000_000
# Imports alone have 170 MB; the largest of these bodies adds 70 MB (2026-11-29).
MOST_MEMORY = 450_000_000
JSON_PROTOCOLS = ("gateio_candles", "gateio_trades", "yahoo_chart", "sec_submissions")
ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = '<?xml version="1.0" encoding="{}"?><!DOCTYPE r [<!ENTITY a0 "ha">' + ENTITIES + "]><{}>&a9;</{}>"


def laughs(encoding: str, root: str) -> bytes:
    """A billion laughs: 2 GB when its entities are expanded."""
    return LAUGHS.format(encoding, root, root).encode(encoding)


def xxe(encoding: str, root: str, secret: Path) -> bytes:
    """A document that asks for a file of this machine."""
    system = f'<!DOCTYPE r [<!ENTITY a SYSTEM "{secret.as_uri()}"><!ENTITY % b SYSTEM "{secret.as_uri()}"> %b;]>'
    content = "<channel><item><title>&a;</title></item></channel>" if root == "rss" else "&a;"
    return f'<?xml version="1.0" encoding="{encoding}"?>{system}<{root}>{content}</{root}>'.encode(encoding)


@cache
def zip_bomb() -> bytes:
    """A zip of 0.6 MB whose one file has 600 MB."""
    body = BytesIO()
    with (
        zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("eurofxref-hist.csv", "w", force_zip64=True) as file,
    ):
        for _ in range(BOMB_BYTES // 1_000_000):
            file.write(bytes(1_000_000))
    return body.getvalue()


def lying_zip() -> bytes:
    """The same, with sizes that say 100 bytes."""
    body, size = zip_bomb(), BOMB_BYTES.to_bytes(4, "little")
    return body.replace(size, (100).to_bytes(4, "little"))


def hostile(secret: Path) -> Iterator[tuple[str, str, bytes]]:
    """Name, protocol and bytes of each body."""
    for protocol in JSON_PROTOCOLS:
        yield f"{protocol}: 100,000 arrays", protocol, b"[" * 100_000 + b"]" * 100_000
        yield f"{protocol}: 100,000 objects", protocol, b'{"a":' * 100_000 + b"1" + b"}" * 100_000
        yield f"{protocol}: 100,000 open arrays", protocol, b"[" * 100_000
        yield f"{protocol}: an integer of 5,000 digits", protocol, b"[[" + b"9" * 5_000 + b"]]"
        yield f"{protocol}: an integer of a million digits", protocol, b'{"chart":' + b"9" * 1_000_000 + b"}"
    for protocol, root in (("ecb_fx_daily", "Envelope"), ("treasury_yields", "feed"), ("feed", "rss")):
        for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp037"):
            yield f"{protocol}: a billion laughs in {encoding}", protocol, laughs(encoding, root)
            yield f"{protocol}: a file in {encoding}", protocol, xxe(encoding, root, secret)
    yield "a zip bomb", "ecb_fx_history", zip_bomb()
    yield "a zip bomb that lies", "ecb_fx_history", lying_zip()
    yield "nested tables", "html_table", b"<table id='quotes'><tr><td>" * 10_000
    yield "nested elements", "html_table", b"<div>" * 500_000


# On Linux `ru_maxrss` counts the process that started this one too; the high-water mark of its own memory does not.
MEASURE = """
import json, re, resource, sys
from pathlib import Path
from tests.ingestion.test_hostile_bodies import hostile, verdict
said = {name: verdict(protocol, body) for name, protocol, body in hostile(Path(sys.argv[1]))}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
if sys.platform == "linux":
    peak = int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps([said, peak]))
"""


def verdict(protocol: str, body: bytes) -> str:
    """Why a body is refused, or what was read of it."""
    try:
        read = parse(load_protocol(protocol), body, given=GATE, fetched_at=NOW)
    except BodyRefused as refused:
        return f"refused: {refused}"
    return f"read: {read}"


def test_bodies_that_would_cost_memory_or_read_a_file_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(secret)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    said, peak = json.loads(done.stdout)
    # Without its entity a feed is an empty one.
    read = {name: line for name, line in said.items() if not line.startswith("refused: ")}
    assert {name: line for name, line in read.items() if not name.startswith("feed: a file")} == {}
    assert "CANARY" not in done.stdout + done.stderr
    assert {name for name in set(said) - set(read) if "\n" in said[name] or len(said[name]) > 400} == set()
    assert peak < MOST_MEMORY


@pytest.mark.parametrize(
    "number", ["1e999999999", "-1e999999999", "1e-999999999", "9" * 4_000, "0." + "0" * 4_000 + "1"]
)
@pytest.mark.parametrize("quoted", [True, False])
def test_an_absurd_number_is_rejected_or_refused_and_never_a_record(number: str, quoted: bool) -> None:
    row: Callable[[str], str] = json.dumps if quoted else str
    body = f'[["1793404800","1",{row(number)},"2","1","1","1","true"]]'.encode()
    try:
        read = parse(load_protocol("gateio_candles"), body, given=GATE, fetched_at=NOW)
    except BodyRefused:
        return
    assert (sum(table.num_rows for table in read.tables.values()), len(read.rejects)) == (0, 1)
