"""Zips and CSV that are not what they should be."""

import io
import zipfile

import pytest

from strades_pipelines.ingestion.csv_reader import unzip
from strades_pipelines.ingestion.verdicts import BodyRefused


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_one_file_is_unpacked() -> None:
    assert unzip(zipped({"a.csv": b"x,y"}), member="a.csv", limit=10) == b"x,y"


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({}, "was empty"),
        ({"b.csv": b""}, "a.csv alone, was b.csv"),
        ({"a.csv": b"", "../../etc/passwd": b""}, "a.csv alone"),
        ({"a.csv": bytes(1_000_000)}, "at most 1000 bytes"),
    ],
)
def test_other_content_or_too_much_of_it_is_refused(files: dict[str, bytes], match: str) -> None:
    with pytest.raises(BodyRefused, match=match):
        unzip(zipped(files), member="a.csv", limit=1000)


def test_damaged_zip_is_refused_wherever_the_damage_is() -> None:
    body = zipped({"a.csv": b"Date,USD\n2024-01-02,1.0\n" * 20})
    for at in range(0, len(body), 3):
        damaged = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        try:
            unpacked = unzip(damaged, member="a.csv", limit=1000)
        except BodyRefused:
            continue
        assert unpacked == b"Date,USD\n2024-01-02,1.0\n" * 20  # a byte that says nothing about the content
    for cut in range(0, len(body), 7):
        with pytest.raises(BodyRefused):
            unzip(body[:cut], member="a.csv", limit=1000)
