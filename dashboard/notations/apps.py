"""The application that owns the table of notations."""

from django.apps import AppConfig


class NotationsConfig(AppConfig):
    """Its table stands in the dashboard's schema."""

    name = "dashboard.notations"
    label = "notations"
