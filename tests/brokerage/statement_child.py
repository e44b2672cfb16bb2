"""One import of a statement in a process of its own, killed at a crash point: its arguments are URL, time and file."""

import sys
from datetime import datetime
from pathlib import Path

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.statements import Imported, import_statement
from strades_pipelines.database.connection import connect


def main(url: str, now: datetime, file: Path) -> Imported:
    with connect(url) as connection:
        request = Request("statement", Scope("wallet", "paper"), "ann", now)
        return import_statement(
            connection, file.read_bytes(), file_name=file.name, format_name="generic", request=request
        )


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), Path(sys.argv[3]))
