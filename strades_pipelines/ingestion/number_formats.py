"""Numbers as people write them, with thousands marks or a decimal comma, rewritten the way `values` reads them."""

import re
from collections.abc import Iterable, Sequence

THOUSANDS_MARKS = ",.'\u2019 \u00a0\u202f"
# One kind of mark, exactly three digits after each, one to three before the first, and none after the decimal point.
GROUPED = re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([{THOUSANDS_MARKS}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\.[0-9]*)?", re.ASCII)
ONE_MARK = re.compile(rf"[+-]?([0-9]*)([{THOUSANDS_MARKS}])([0-9]*)", re.ASCII)
POINTS_FOR_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}", re.ASCII)


def plain_numbers(cells: Sequence[object], *, remove: str = "", decimal: str = ".") -> list[object]:
    """A column of numbers, each as `plain_number` has it; what is no text stays.

    `1,085` may be a thousand or a little more than one, and so may `5.240`. Where another cell of the column shows that
    the mark stands for something else (`0,985`, `5.240.000`), it can be read as neither.
    """
    # By distinct text: columns of a feed repeat the same few words.
    texts = {cell: _bare(cell, remove, decimal) for cell in cells if isinstance(cell, str)}
    doubtful = _doubtful_marks(texts.values())
    numbers: dict[object, object] = {
        text: f"{text}, of two meanings"
        if _is_of_two_meanings(bare, doubtful)
        else _without_thousands(bare, remove, decimal)
        for text, bare in texts.items()
    }
    return [numbers.get(cell, cell) if isinstance(cell, str) else cell for cell in cells]


def plain_number(text: str, *, remove: str = "", decimal: str = ".") -> str:
    """The number with a decimal point and without thousands marks; unreadable where a mark stands elsewhere.

    198,57 is no number of thousands, and to take its comma out would make it a hundred times too large.

    Args:
        remove: letters that are not of the number, such as $; thousands marks among them go only where they stand for
            thousands.
        decimal: the mark before the decimals. With a comma, the dot is the thousands mark.
    """
    return _without_thousands(_bare(text, remove, decimal), remove, decimal)


def _marks(remove: str, decimal: str) -> set[str]:
    """The thousands marks, once the decimal mark is a point."""
    return set(THOUSANDS_MARKS) & set(remove) | ({","} if decimal == "," else set())


def _bare(text: str, remove: str, decimal: str) -> str:
    """The text without the letters that are not of its number, its decimal mark a point."""
    marks = set(THOUSANDS_MARKS) & set(remove)
    text = text.translate(str.maketrans("", "", "".join(set(remove) - marks)))
    if any(mark.isspace() for mark in marks):
        text = text.strip()
    return text.translate(str.maketrans(",.", ".,")) if decimal == "," else text


def _without_thousands(bare: str, remove: str, decimal: str) -> str:
    found = GROUPED.fullmatch(bare)
    return bare.replace(found[1], "") if found and found[1] in _marks(remove, decimal) else bare


def _doubtful_marks(bare: Iterable[str]) -> set[str]:
    """The marks that stand in some number for what the protocol does not say."""
    marks = set()
    for text in bare:
        one = ONE_MARK.fullmatch(text)
        if one and one[2] != "." and not GROUPED.fullmatch(text):
            marks.add(one[2])
        elif POINTS_FOR_THOUSANDS.fullmatch(text):
            marks.add(".")
    return marks


def _is_of_two_meanings(bare: str, doubtful: set[str]) -> bool:
    one = ONE_MARK.fullmatch(bare)
    return one is not None and one[2] in doubtful and len(one[3]) == 3 and 1 <= len(one[1]) <= 3
