"""`strades` in a process of its own, in the world whose database has the URL that is its first argument."""

import sys
from urllib.parse import urlsplit

from strades_pipelines import cli
from strades_pipelines.database import connection

if __name__ == "__main__":
    connection.WORLD_DATABASES["sandbox"] = urlsplit(sys.argv.pop(1)).path.lstrip("/")
    cli.main()
