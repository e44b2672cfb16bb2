"""EDGAR's full-text search, in its shape, over the synthetic filings: `efts.sec.gov/LATEST/search-index?q=...`.

Each filing has its own document, and an 8-K an exhibit: a hit is a document. Of a document's words it knows the
company's name, the form and that it is synthetic; `q` takes words, all of which must occur, and phrases in quotes.
`forms`, `ciks` and, with `dateRange=custom`, `startdt` and `enddt` (days in New York, both included) choose among them.
Hits come newest first, 100 at once, from `from` on; of more than 10,000 no more are given.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from sandbox.filing_calendar import CIKS, NEW_YORK, Filing, accession
from sandbox.sec import filed_by_now
from sandbox.stocks import SYMBOLS
from sandbox.world import Reply, World, json_reply

HOST = "efts.sec.gov"
PATH = "LATEST/search-index"
PAGE = 100
MOST_HITS = 10_000
WORDS = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True)
class Document:
    """One document of a filing: its number there, its type and its file."""

    cik: str
    filing: Filing
    number: str
    sequence: int
    kind: str
    file: str

    @property
    def day(self) -> date:
        """The filing date."""
        return self.filing.accepted.astimezone(NEW_YORK).date()

    @property
    def text(self) -> str:
        """The words by which it is found, in small letters."""
        return f"{SYMBOLS[CIKS[self.cik]][0]} {self.filing.form} {self.kind} synthetic filing, strades sandbox".lower()


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): the documents that were filed by now and fit."""
    if path != PATH:
        return json_reply({"message": "Missing Authentication Token"}, status=403)
    skipped = query.get("from", "0")
    if not (skipped.isascii() and skipped.isdigit() and int(skipped) + PAGE <= MOST_HITS):
        return json_reply({"error": "Result window is too large"}, status=500)
    found = sorted(_found(world, query), key=lambda hit: (hit.filing.accepted, hit.number, -hit.sequence), reverse=True)
    hits = [_hit(document) for document in found[int(skipped) : int(skipped) + PAGE]]
    total = {"value": min(len(found), MOST_HITS), "relation": "eq" if len(found) <= MOST_HITS else "gte"}
    return json_reply({"took": 1, "timed_out": False, "hits": {"total": total, "max_score": None, "hits": hits}})


def _found(world: World, query: Mapping[str, str]) -> Iterator[Document]:
    wanted = [(phrase or word).lower() for phrase, word in WORDS.findall(query.get("q", ""))]
    forms = [form for form in query.get("forms", "").split(",") if form]
    ciks = [cik.zfill(10) for cik in query.get("ciks", "").split(",") if cik]
    dates = [query.get(name, "") for name in ("startdt", "enddt")] if query.get("dateRange") == "custom" else ["", ""]
    for cik in CIKS:
        for document in _documents(world, cik):
            in_time = (dates[0] or "0") <= f"{document.day}" <= (dates[1] or "9")
            chosen = (not forms or document.filing.form in forms) and (not ciks or cik in ciks)
            if in_time and chosen and all(word in document.text for word in wanted):
                yield document


def _documents(world: World, cik: str) -> Iterator[Document]:
    symbol = CIKS[cik].lower()
    for place, filing in enumerate(filed_by_now(world, cik), 1):
        number, day = accession(cik, filing, place), f"{filing.period_end:%Y%m%d}"
        yield Document(cik, filing, number, 1, filing.form, f"{symbol}-{day}.htm")
        if filing.form == "8-K":
            yield Document(cik, filing, number, 2, "EX-99.1", f"{symbol}-ex991_{day}.htm")


def _hit(document: Document) -> dict[str, object]:
    symbol = CIKS[document.cik]
    return {
        "_index": "edgar_file",
        "_id": f"{document.number}:{document.file}",
        "_score": None,
        "_source": {
            "ciks": [document.cik],
            "period_ending": f"{document.filing.period_end}",
            "file_num": ["000-00000"],
            "display_names": [f"{SYMBOLS[symbol][0]}  ({symbol})  (CIK {document.cik})"],
            "sequence": document.sequence,
            "root_forms": [document.filing.form],
            "file_date": f"{document.day}",
            "form": document.filing.form,
            "adsh": document.number,
            "file_type": document.kind,
            "file_description": f"{document.kind} (synthetic)",
            "items": [],
        },
    }
