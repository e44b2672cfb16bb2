"""The accounts, and what is kept when somebody signs in or out, or changes how he does."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Connects the log of connections and the audit to the signals of Django and allauth."""

    name = "dashboard.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Listen."""
        from allauth.account.signals import password_changed, password_set
        from allauth.mfa.models import Authenticator
        from django.contrib.auth.signals import user_logged_in, user_logged_out
        from django.db.models.signals import post_delete, post_save

        from dashboard.accounts import changes
        from dashboard.accounts.connections import begin_connection, end_connection

        user_logged_in.connect(begin_connection)
        user_logged_out.connect(end_connection)
        password_changed.connect(changes.record_password)
        password_set.connect(changes.record_password)
        post_save.connect(changes.record_factor, Authenticator)
        post_delete.connect(changes.record_factor, Authenticator)
