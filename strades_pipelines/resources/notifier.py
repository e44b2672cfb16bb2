"""Tells people that something failed. Here: the log; e-mail and web hooks take the same message."""

import logging
from typing import Any

import dagster as dg

logger = logging.getLogger("strades_pipelines.notifier")


class Notifier(dg.ConfigurableResource[Any]):
    """Where alerts go."""

    def alert(self, subject: str, message: str) -> None:
        """Send one alert: a subject of a few words, and one line that says what, where and what to do."""
        logger.error("ALERT %s: %s", subject, message)
