"""Numbers as people write them, with thousands marks or a decimal comma, rewritten the way `values` reads them."""

import re

THOUSANDS_MARKS = ",.'\u2019 \u00a0\u202f"
# One kind of mark, exactly three digits after each, one to three before the first, and none after the decimal point.
GROUPED = re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([{THOUSANDS_MARKS}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\.[0-9]*)?", re.ASCII)


def plain_number(text: str, *, remove: str = "", decimal: str = ".") -> str:
    """The number with a decimal point and without thousands marks; unreadable where a mark stands elsewhere.

    198,57 is no number of thousands, and to take its comma out would make it a hundred times too large.

    Args:
        remove: letters that are not of the number, such as $; thousands marks among them go only where they stand for
            thousands.
        decimal: the mark before the decimals. With a comma, the dot is the thousands mark.
    """
    marks = set(THOUSANDS_MARKS) & set(remove)
    text = text.translate(str.maketrans("", "", "".join(set(remove) - marks)))
    if any(mark.isspace() for mark in marks):
        text = text.strip()
    if decimal == ",":
        text = text.translate(str.maketrans(",.", ".,"))
        marks.add(",")
    found = GROUPED.fullmatch(text)
    return text.replace(found[1], "") if found and found[1] in marks else text
