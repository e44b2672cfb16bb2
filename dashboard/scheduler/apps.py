"""What people asked of Dagster, and their calendar feeds."""

from django.apps import AppConfig


class SchedulerConfig(AppConfig):
    """Has the tables of `models`."""

    name = "dashboard.scheduler"
    label = "scheduler"
