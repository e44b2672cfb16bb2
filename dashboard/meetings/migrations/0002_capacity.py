"""How many may come to an event."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column; events of before take as many as will."""

    dependencies = [("meetings", "0001_initial")]
    operations = [
        migrations.AddField(model_name="meeting", name="capacity", field=models.PositiveIntegerField(null=True))
    ]
