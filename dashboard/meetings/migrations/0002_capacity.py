"""How many may come to an event, and which of its times are called off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the columns; events of before take as many as will, and each of their times."""

    dependencies = [("meetings", "0001_initial")]
    operations = [
        migrations.AddField(model_name="meeting", name="capacity", field=models.PositiveIntegerField(null=True)),
        migrations.AddField(model_name="meeting", name="called_off", field=models.JSONField(default=list)),
    ]
