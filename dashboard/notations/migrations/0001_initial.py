"""The table of notations."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    dependencies = (migrations.swappable_dependency(settings.AUTH_USER_MODEL),)
    operations = (
        migrations.CreateModel(
            name="Notation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.UUIDField(unique=True)),
                ("kind", models.CharField(max_length=10)),
                ("subject", models.TextField()),
                ("label", models.TextField()),
                ("version", models.PositiveIntegerField()),
                ("written_at", models.DateTimeField()),
                ("rating", models.PositiveSmallIntegerField(null=True)),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32), default=list, size=None
                    ),
                ),
                ("note", models.TextField(blank=True)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "notations",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "subject", "author", "version"), name="notation_version"),
                    models.CheckConstraint(
                        condition=models.Q(("rating__isnull", True), ("rating__in", (1, 2, 3, 4, 5)), _connector="OR"),
                        name="notation_rating",
                    ),
                ],
            },
        ),
    )
