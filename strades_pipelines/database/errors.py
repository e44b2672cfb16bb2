"""What the database said, in one line that tells the cause and not the statement."""

import re

DISK_FULL = "the disk of the database is full: make room and run it again, nothing is lost"
# SQLAlchemy's and PostgreSQL's own ways to repeat the statement.
_STATEMENT = re.compile(r"\s*(?:\[SQL: |LINE \d+: ).*")
# ADBC puts its status (IO, NOT_FOUND ...), and often the whole statement, before PostgreSQL's own words.
_SERVER = re.compile(r"[A-Z_]+: .*?(?P<said>(?:ERROR|FATAL|PANIC):\s+.*)")


def cause(text: str) -> str:
    """The cause in an error of psycopg, SQLAlchemy or ADBC as one line; any other text stays, in one line."""
    flat = " ".join(text.split())
    if "No space left on device" in flat:
        return DISK_FULL
    server = _SERVER.match(flat)
    return _STATEMENT.sub("", server["said"] if server else flat)
