"""The accounts, and what is kept when somebody signs in or out."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Connects the log of connections to the signals of signing in and out."""

    name = "dashboard.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Listen."""
        from django.contrib.auth.signals import user_logged_in, user_logged_out

        from dashboard.accounts.connections import begin_connection, end_connection

        user_logged_in.connect(begin_connection)
        user_logged_out.connect(end_connection)
