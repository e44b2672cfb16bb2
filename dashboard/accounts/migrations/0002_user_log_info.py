"""The mission's `user_log_info`: how long and how often each account was connected, a view over real connections."""

from django.db import migrations

MAKE = """
    CREATE VIEW user_log_info AS
    SELECT
        u."UserID" AS "ID_account",
        max(c.started_at) AS "LastConnection",
        avg(coalesce(c.ended_at, c.last_seen_at) - c.started_at) AS "AvgConnectionTime",
        count(c.id) AS "nbConnections"
    FROM user_logging_info AS u LEFT JOIN connections AS c ON c.user_id = u."UserID"
    GROUP BY u."UserID"
"""


class Migration(migrations.Migration):
    """Makes the view."""

    dependencies = (("accounts", "0001_initial"),)
    operations = (migrations.RunSQL(MAKE, "DROP VIEW user_log_info"),)
