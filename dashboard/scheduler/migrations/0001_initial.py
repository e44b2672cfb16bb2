"""What people asked of Dagster, and calendar feeds."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the tables."""

    initial = True
    dependencies = (("accounts", "0003_account_changes"),)
    operations = (
        migrations.CreateModel(
            name="DagsterRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.UUIDField(unique=True)),
                ("kind", models.CharField(max_length=20)),
                ("target", models.CharField(max_length=300)),
                ("arguments", models.JSONField(default=dict)),
                ("reason", models.CharField(max_length=300)),
                ("requested_by", models.CharField(max_length=100)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("state", models.CharField(default="waits", max_length=10)),
                ("outcome", models.CharField(blank=True, max_length=400)),
                ("run_ids", models.JSONField(default=list)),
                ("backfill_id", models.CharField(blank=True, max_length=100)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "dagster_requests",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(state__in=["waits", "done", "failed", "unknown"]),
                        name="known_state_of_request",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CalendarFeed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calendar_feeds",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"db_table": "calendar_feeds"},
        ),
    )
