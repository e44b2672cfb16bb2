"""EDGAR's submissions, in their shape, over synthetic filings: `data.sec.gov/submissions/CIK<10 digits>.json`, and the
Atom feed of a company's newest ones, `www.sec.gov/cgi-bin/browse-edgar?action=getcompany&CIK=...&output=atom`.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from sandbox.filing_calendar import CIKS, NEW_YORK, Filing, accession, filings
from sandbox.sec_facts import company_facts
from sandbox.stocks import SYMBOLS
from sandbox.world import Reply, World, json_reply, strong_etag

HOST, FEED_HOST = "data.sec.gov", "www.sec.gov"
FEED_PATH = "cgi-bin/browse-edgar"
MOST_ENTRIES = 100
MOST_RECENT = 1_000


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): the filings accepted by now, newest first, or what they state."""
    folder, _, file = path.rpartition("/")
    cik = file.removeprefix("CIK").removesuffix(".json")
    if file != f"CIK{cik}.json" or cik not in CIKS or folder not in ("submissions", "api/xbrl/companyfacts"):
        return Reply(b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>\n", "application/xml", 404)
    filed = filed_by_now(world, cik)
    reply = json_reply(submissions(cik, filed) if folder == "submissions" else company_facts(world.seed, cik, filed))
    return Reply(reply.body, reply.content_type, headers={"ETag": strong_etag(reply.body)})


def feed_answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host of the feeds); EDGAR says in a page of HTML, with 200, that it knows no company."""
    asked = {"action": "getcompany", "output": "atom"}
    if path != FEED_PATH or any(query.get(name) != value for name, value in asked.items()):
        return Reply(b"<!DOCTYPE html><html><body>Not Found</body></html>\n", "text/html", 404)
    cik = query.get("CIK", "").zfill(10)
    if cik not in CIKS:
        return Reply(b"<!DOCTYPE html><html><body><h1>No matching CIK.</h1></body></html>\n", "text/html")
    written = query.get("count", "40")
    count = min(int(written), MOST_ENTRIES) if written.isascii() and written.isdigit() else 40
    return Reply(company_feed(cik, filed_by_now(world, cik), count), "application/atom+xml")


def filed_by_now(world: World, cik: str) -> list[Filing]:
    """What a company has filed by the world's time, oldest first."""
    return [filing for filing in filings(world.seed, cik) if filing.accepted <= world.now()]


def submissions(cik: str, known: list[Filing]) -> dict[str, object]:
    """EDGAR's document of a company: what is recent, in columns, newest first.

    Args:
        known: all that was filed by now, oldest first; its place in it is in a filing's accession number.
    """
    symbol = CIKS[cik]
    recent = list(enumerate(known, 1))[::-1][:MOST_RECENT]
    filed = [filing for _, filing in recent]
    name, exchange, _ = SYMBOLS[symbol]
    numbers = [accession(cik, filing, place) for place, filing in recent]
    return {
        "cik": cik.lstrip("0"),
        "entityType": "operating",
        "name": f"{name} (synthetic filings, Strades sandbox)",
        "tickers": [symbol],
        "exchanges": [exchange],
        "filings": {
            "recent": {
                "accessionNumber": numbers,
                "filingDate": [f"{filing.accepted.astimezone(NEW_YORK):%Y-%m-%d}" for filing in filed],
                "reportDate": [f"{filing.period_end}" for filing in filed],
                "acceptanceDateTime": [
                    f"{filing.accepted.astimezone(NEW_YORK):%Y-%m-%dT%H:%M:%S}.000Z" for filing in filed
                ],
                "form": [filing.form for filing in filed],
                "primaryDocument": [f"{symbol.lower()}-{filing.period_end:%Y%m%d}.htm" for filing in filed],
                "primaryDocDescription": [f"{filing.form} (synthetic)" for filing in filed],
            },
            "files": [],
        },
    }


def company_feed(cik: str, known: list[Filing], count: int) -> bytes:
    """EDGAR's Atom feed of a company: its `count` newest filings, newest first."""
    feed = Element("feed", xmlns="http://www.w3.org/2005/Atom")
    company = SubElement(feed, "company-info")
    SubElement(company, "cik").text = cik
    SubElement(company, "conformed-name").text = f"{SYMBOLS[CIKS[cik]][0]} (synthetic filings, Strades sandbox)"
    for place, filing in list(enumerate(known, 1))[::-1][:count]:
        _add_entry(feed, cik, filing, accession(cik, filing, place))
    written: bytes = tostring(feed, encoding="us-ascii")
    return b'<?xml version="1.0" encoding="ISO-8859-1" ?>\n' + written


def _add_entry(feed: Element, cik: str, filing: Filing, number: str) -> None:
    accepted, folder = filing.accepted.astimezone(NEW_YORK), number.replace("-", "")
    address = f"https://www.sec.gov/Archives/edgar/data/{cik.lstrip('0')}/{folder}/{number}-index.htm"
    entry = SubElement(feed, "entry")
    SubElement(entry, "category", label="form type", scheme="https://www.sec.gov/", term=filing.form)
    content = SubElement(entry, "content", type="text/xml")
    for name, text in (
        ("accession-number", number),
        ("filing-date", f"{accepted:%Y-%m-%d}"),
        ("filing-href", address),
        ("filing-type", filing.form),
        ("form-name", f"{filing.form} (synthetic)"),
    ):
        SubElement(content, name).text = text
    SubElement(entry, "id").text = f"urn:tag:sec.gov,2008:accession-number={number}"
    SubElement(entry, "link", href=address, rel="alternate", type="text/html")
    SubElement(entry, "title").text = f"{filing.form} - {filing.form} (synthetic)"
    SubElement(entry, "updated").text = accepted.isoformat()
