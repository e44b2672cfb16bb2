"""The dashboard's sessions, for who keeps house: Django deletes none by itself."""

from typing import Any

import psycopg
from psycopg import sql

SESSIONS = "dashboard.django_session"


def delete_sessions(connection: "psycopg.Connection[Any]") -> int:
    """Delete the sessions that are over, by the server's clock. Returns how many; the caller commits.

    None where the dashboard was never served in this world.
    """
    if connection.execute("SELECT to_regclass(%s)", [SESSIONS]).fetchone() == (None,):
        return 0
    table = sql.Identifier(*SESSIONS.split("."))
    return connection.execute(sql.SQL("DELETE FROM {} WHERE expire_date < now()").format(table)).rowcount
