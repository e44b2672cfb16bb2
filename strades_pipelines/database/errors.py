"""What the database said, in one line that tells the cause and not the statement."""

import re

DISK_FULL = "the disk of the database is full: make room and run it again, nothing is lost"
_STATEMENT = re.compile(r"\s*\[SQL: .*")
# ADBC repeats the whole statement before PostgreSQL's own words.
_SERVER = re.compile(r"(?:Failed to|could not) execute (?:query|statement).*?(?P<said>(?:ERROR|FATAL|PANIC):\s+.*)")


def cause(text: str) -> str:
    """The cause in an error of psycopg, SQLAlchemy or ADBC as one line; any other text stays, in one line."""
    flat = " ".join(text.split())
    if "No space left on device" in flat:
        return DISK_FULL
    server = _SERVER.search(flat)
    return _STATEMENT.sub("", server["said"] if server else flat)
