"""What was done to accounts goes where the dashboard can only add: `audit.account_changes` of the SQL migrations."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

COPY = """
    INSERT INTO audit.account_changes (changed_at, changed_by, person_id, change)
    SELECT at, by, person_id, what FROM account_changes ORDER BY id
"""


class Migration(migrations.Migration):
    """Copies the rows in their order, which chains them, and drops the table; there is no way back."""

    dependencies = (("accounts", "0003_account_changes"),)
    operations = (
        migrations.RunSQL(COPY),
        migrations.DeleteModel("AccountChange"),
        migrations.CreateModel(
            name="AccountChange",
            fields=[
                ("sequence", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_column="changed_at", default=django.utils.timezone.now)),
                ("by", models.CharField(db_column="changed_by", max_length=100)),
                ("what", models.CharField(db_column="change", max_length=100)),
                ("address", models.GenericIPAddressField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"db_table": '"audit"."account_changes"', "managed": False},
        ),
    )
