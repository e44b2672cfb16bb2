"""The person for whom the database is read: row security of wallets and of acts goes by `strades.viewer`.

Without a viewer the dashboard's role sees no wallet that has an owner, and no act of a person: what forgets to say who
reads shows too little, never too much.
"""

from contextvars import ContextVar
from typing import Any

import psycopg
from django.db import connections

SETTING = "SELECT set_config('strades.viewer', %s, false)"
_viewer: ContextVar[str] = ContextVar("strades_viewer", default="")


def set_viewer(person_id: int | None) -> None:
    """Read for this person from now on, on each connection that is open or will be; None: for nobody."""
    _viewer.set("" if person_id is None else str(person_id))
    for wrapper in connections.all(initialized_only=True):
        if wrapper.connection is not None:
            try:
                tell_viewer(wrapper.connection)
            except psycopg.Error:  # the server closed it: the next one is told when it opens
                wrapper.close()


def tell_viewer(connection: psycopg.Connection[Any]) -> None:
    """Tell a connection of the dashboard's role for whom it reads."""
    connection.execute(SETTING, [_viewer.get()])


def tell_new_connection(sender: Any, connection: Any, **_: Any) -> None:
    """Receive Django's signal of a connection that was just opened."""
    tell_viewer(connection.connection)
