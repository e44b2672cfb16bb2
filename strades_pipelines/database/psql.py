"""PostgreSQL's programs; the password goes by the environment, not by the list of processes."""

import os
import subprocess
from collections.abc import Sequence

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from strades_pipelines.database.connection import create_databases, database_url
from strades_pipelines.database.server_programs import binaries


def psql(arguments: Sequence[str]) -> int:
    """Run psql and return its exit code."""
    create_databases()
    return subprocess.run([psql_program(), *arguments], env=environment(database_url()), check=False).returncode


def psql_program() -> str:
    """Our own psql: that of the system may be older than 16, and then sends a password in clear text to who asks."""
    return str(binaries() / "psql")


def environment(url: str) -> dict[str, str]:
    """The environment in which PostgreSQL's programs connect to the database of a URL."""
    # A PGHOST or PGPASSWORD of the user's own would fill in what the URL leaves out.
    others = {name: value for name, value in os.environ.items() if name not in _variables().values()}
    return {**others, **libpq_variables(url)}


def libpq_variables(url: str) -> dict[str, str]:
    """A URL with all of its parameters (sslmode, sslrootcert ...) as the variables that libpq reads."""
    variables = _variables()
    return {variables[name]: str(value) for name, value in conninfo_to_dict(url).items() if name in variables}


def _variables() -> dict[str, str]:
    options = pq.Conninfo.get_defaults()
    return {option.keyword.decode(): option.envvar.decode() for option in options if option.envvar}
