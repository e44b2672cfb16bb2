"""The application that owns the tables of the community."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from dashboard.gateway.viewer import tell_new_connection


class CommunityConfig(AppConfig):
    """Its tables stand in the dashboard's schema."""

    name = "dashboard.community"
    label = "community"

    def ready(self) -> None:
        """Have each connection that opens told for whom it reads."""
        connection_created.connect(tell_new_connection, dispatch_uid="viewer")
