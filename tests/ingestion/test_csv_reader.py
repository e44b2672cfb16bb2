"""Damaged, truncated and unexpected zips and CSV files."""

import io
import zipfile
from dataclasses import replace

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.csv_reader import CsvReader, unzip
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
        assert unpacked == b"Date,USD\n2024-01-02,1.0\n" * 20  # the flipped byte was no content: a time stamp, say
    for cut in range(0, len(body), 7):
        with pytest.raises(BodyRefused):
            unzip(body[:cut], member="a.csv", limit=1000)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_body_cut_within_a_line_is_refused_if_the_provider_ends_every_line(line_end: bytes) -> None:
    lines = [b"observation_date,DGS10", b"2024-01-11,3.98", b"2024-01-12,3.96", b""]
    body, whole_lines = line_end.join(lines), [len(line_end.join(lines[:n])) + len(line_end) for n in (1, 2, 3)]
    strict = load_protocol("fred_csv").read
    for cut in range(len(body) + 1):
        if cut in whole_lines:
            assert CsvReader(strict, body[:cut]).table.num_rows == whole_lines.index(cut)
        else:
            with pytest.raises(BodyRefused):
                CsvReader(strict, body[:cut])
    assert CsvReader(replace(strict, trailing_newline=False), body.rstrip()).table.num_rows == 2


def test_a_body_cut_within_a_quoted_field_is_refused_and_no_number_is_truncated() -> None:
    """RFC 4180, 2.5: a quoted field ends with a quote, so `"100` may be the beginning of `"1000"`."""
    body = b'"Date","Close"\n"2024-01-02","999"\n"2024-01-03","1000"\n'
    read = replace(load_protocol("fred_csv").read, trailing_newline=False)
    for cut in range(1, len(body)):
        if body[:cut].count(b'"') % 2:
            with pytest.raises(BodyRefused, match=r"expected quotes that close|expected CSV with a header"):
                CsvReader(read, body[:cut])
        else:
            column = CsvReader(read, body[:cut]).table.to_pydict()
            assert set(column.get("1", [])) <= {"999", "1000", ""}


@pytest.mark.parametrize("last", [b"b\n", b'13 in"\n', b'13 in"\n2024-01-05,b\n'])
def test_a_stray_quote_swallows_no_rows(last: bytes) -> None:
    """A quote that opens a field (`"6 in pipe`) makes everything up to the next quote its text."""
    with pytest.raises(BodyRefused, match=r"expected quotes that close|expected rows on lines of their own"):
        CsvReader(load_protocol("fred_csv").read, b'd,n\n2024-01-02,"6 in pipe\n2024-01-03,c\n2024-01-04,' + last)


def test_quotes_and_line_breaks_within_a_field_are_its_text_in_a_body_of_any_size() -> None:
    """RFC 4180, 2.6 and 2.7; a quote inside an unquoted field is an ordinary character."""
    rows = b"".join(b'%d,"%s\n""%s"""\n' % (n, b"x" * 100, b"y" * 100) for n in range(7_000))  # more than Arrow's block
    reader = CsvReader(load_protocol("fred_csv").read, b"d,n\n" + rows + b'7000,6" pipe\n')
    assert reader.lost == []
    notes = reader.table.to_pydict()["1"]
    assert (len(notes), set(notes)) == (7_001, {"x" * 100 + '\n"' + "y" * 100 + '"', '6" pipe'})
