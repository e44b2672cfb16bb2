"""Small csv files that users write by hand: rows by the names of their columns."""

import csv
import math
from collections.abc import Sequence
from datetime import date
from io import StringIO
from pathlib import Path

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.system.regular_files import read_regular

MOST_BYTES = 50_000_000


def read_rows(path: Path, fields: Sequence[str], optional: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """Each row with its number, and its cells by the column; a byte order mark and CRLF are taken, empty lines skipped.

    Args:
        fields: the columns that the header must have, in any order.
        optional: those that it may have besides.

    Raises:
        BadInput: naming the file, and the row where one is at fault; rows count from 1, the header is row 1.
    """
    try:
        text = read_regular(path, most_bytes=MOST_BYTES).decode("utf-8-sig")
        lines = csv.reader(StringIO(text, newline=""), strict=True)
        rows = [(lines.line_num, row) for row in lines if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: expected a readable csv file, found {' '.join(reason.split())}") from None
    names = ",".join([*fields, *(f"[{name}]" for name in optional)])
    if not rows:
        raise BadInput(f"{path}: expected the columns {names} and rows, found an empty file")
    header = [name.strip() for name in rows[0][1]]
    wrong = [name for name in header if name not in (*fields, *optional) or header.count(name) > 1]
    for name in [*(name for name in fields if name not in header), *wrong]:
        found = " ".join(",".join(header).split())[:120]
        raise bad_row(path, 1, " ".join(name.split())[:40] or "header", f"the columns {names}", found)
    if len(rows) == 1:
        raise BadInput(f"{path}: expected rows below the header, found none")
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise bad_row(path, number, header[0], f"{len(header)} cells", f"{len(row)} cells")
    return [(number, dict(zip(header, map(str.strip, row), strict=True))) for number, row in rows[1:]]


def number_of(path: Path, row: int, field: str, text: str, most: float = math.inf) -> float:
    """A number above 0 and below `most`.

    Raises:
        BadInput: for anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # `float` takes other scripts' digits and underscores, too.
    if not 0.0 < value < most or not text.isascii() or "_" in text:
        bound = "" if math.isinf(most) else f" and below {most:g}"
        raise bad_row(path, row, field, f"a number above 0{bound}", repr(text))
    return value


def date_of(path: Path, row: int, field: str, text: str) -> date:
    """A day such as 2020-08-31.

    Raises:
        BadInput: for anything else.
    """
    try:
        # Python also takes 20200831 and 2020-W36-1.
        if (day := date.fromisoformat(text)).isoformat() == text:
            return day
    except ValueError:
        pass
    raise bad_row(path, row, field, "a day such as 2020-08-31", repr(text))
