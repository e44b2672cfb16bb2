"""Accounts, connections, invitations."""

import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("id", models.BigAutoField(db_column="UserID", primary_key=True, serialize=False)),
                (
                    "pseudo",
                    models.CharField(
                        db_column="Pseudo",
                        max_length=64,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="name to sign in with",
                    ),
                ),
                ("email", models.EmailField(blank=True, db_column="Email", max_length=254, verbose_name="e-mail")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_column="DateCreationAccount", default=django.utils.timezone.now, editable=False
                    ),
                ),
                (
                    "country_code",
                    models.CharField(
                        blank=True,
                        db_column="CountryCode",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Z]{2}\\Z", "Expected two capital letters, as FR."
                            )
                        ],
                        verbose_name="country (two letters)",
                    ),
                ),
                ("address", models.CharField(blank=True, db_column="Address", max_length=300, verbose_name="address")),
                ("name", models.CharField(blank=True, db_column="Name", max_length=100, verbose_name="given name")),
                (
                    "surname",
                    models.CharField(blank=True, db_column="Surname", max_length=100, verbose_name="family name"),
                ),
                ("last_login", models.DateTimeField(blank=True, db_column="LastConnection", editable=False, null=True)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "viewer"),
                            ("analyst", "analyst"),
                            ("trader", "trader"),
                            ("admin", "admin"),
                        ],
                        default="viewer",
                        max_length=10,
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
            ],
            options={
                "db_table": "user_logging_info",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["viewer", "analyst", "trader", "admin"])), name="known_role"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "viewer"),
                            ("analyst", "analyst"),
                            ("trader", "trader"),
                            ("admin", "admin"),
                        ],
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "used_by",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "invitations",
            },
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                ("is_remembered", models.BooleanField(default=False)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=300)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="connections",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "connections",
                "indexes": [models.Index(fields=["user", "-started_at"], name="connections_of_user")],
            },
        ),
    ]
