"""Alerts as a Dagster resource."""

from typing import Any

import dagster as dg

from strades_pipelines.system.alerting import send_alert


class Notifier(dg.ConfigurableResource[Any]):
    """Sends alerts; it holds no settings, so that no run config holds a secret."""

    def alert(self, subject: str, message: str) -> list[str]:
        """Send one alert; see `send_alert`."""
        return send_alert(subject, message)
