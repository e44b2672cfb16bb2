"""The application that owns the tables of messages."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Its tables stand in the dashboard's schema."""

    name = "dashboard.messaging"
    label = "messaging"
