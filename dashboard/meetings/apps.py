"""The application that owns the tables of events."""

from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    """Its tables stand in the dashboard's schema."""

    name = "dashboard.meetings"
    label = "meetings"
