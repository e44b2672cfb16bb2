"""The letters of an HTML page: its bytes decoded as browsers do (https://encoding.spec.whatwg.org).

libxml2 takes a label by its own standard, which lacks letters that such pages hold, and drops the page from the first
byte that it cannot read.
"""

import codecs
import re

from strades_pipelines.ingestion.verdicts import BodyRefused

LONGEST_HEAD = 65_536
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
LABEL = rb"\s*=\s*[\"']?\s*([\w.:-]+)"
META = re.compile(rb"<meta\b[^<>]*?\bcharset" + LABEL, re.IGNORECASE)
XML_DECLARATION = re.compile(rb"\s*<\?xml\b[^<>]*?\bencoding" + LABEL, re.IGNORECASE)
# Labels that Python does not know, or not as browsers do; its codecs of the others are those of the standard.
LABELS = {"windows-949": "cp949", "windows-31j": "cp932", "windows-874": "cp874", "cn-big5": "cp950"}
# By Python's codec of a label, the one of the superset that browsers take it for.
SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",  # has the euro sign, which Python's big5hkscs lacks
    "euc_kr": "cp949",
}
EAST_ASIAN = ("cp932", "cp949", "cp950", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp")
OF_THE_WEB = re.compile(rf"cp125[0-8]|cp866|cp874|iso8859-\d+|koi8-[ru]|mac-(roman|cyrillic)|{'|'.join(EAST_ASIAN)}")
# Their letters are bytes of ASCII, < and > among them; browsers show nothing of such a page.
REFUSED = frozenset(("hz-gb-2312", "iso-2022-kr", "csiso2022kr", "iso-2022-cn", "iso-2022-cn-ext"))


def page_text(body: bytes) -> str:
    """The page as text; what its encoding does not have is U+FFFD, which is of no number.

    A byte order mark goes before what the page says; a page that says nothing, or what no browser knows, is UTF-8.

    Raises:
        BodyRefused: the page says an encoding that no browser reads.
    """
    # A mark goes before the label, as in browsers: the label may have been left from another encoding.
    for mark, codec in BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body.removeprefix(mark).decode(codec, "replace")
    return body.decode(_codec(_label(body[:LONGEST_HEAD])), "replace")


def _label(head: bytes) -> str:
    first, *others = head.split(b"<!--")
    # What stands in comments is no label.
    found = META.search(b" ".join([first, *(part.partition(b"-->")[2] for part in others)]))
    found = found or XML_DECLARATION.match(head)
    return found[1].decode("ascii", "replace").lower() if found else "utf-8"


def _codec(label: str) -> str:
    if label in REFUSED:
        raise BodyRefused(f"expected a page in an encoding that browsers read, was {label}")
    try:
        name = codecs.lookup(LABELS.get(label) or label.removeprefix("x-")).name
    except LookupError:
        return "utf-8"
    name = SUPERSETS.get(name, name)
    return name if OF_THE_WEB.fullmatch(name) else "utf-8"  # utf-16 too: its page could not have said so in ASCII
