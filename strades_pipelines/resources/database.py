"""What assets are handed to reach this world's database."""

from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg

from strades_pipelines.database.connection import adbc_connect, connect, database_url

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


class Database(dg.ConfigurableResource[Any]):
    """This world's database; `url` names another, in tests."""

    url: str | None = None

    def location(self) -> str:
        """The URL of the database. It holds a password: never log it."""
        return self.url or database_url()

    def connect(self) -> "psycopg.Connection[Any]":
        """A psycopg connection: UTC, not autocommit."""
        return connect(self.location())

    def adbc(self) -> "AdbcConnection":
        """An ADBC connection, for frames."""
        connection: AdbcConnection = adbc_connect(self.location())
        return connection
