
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("django_wfe", "0004_take_over_version_one")]

    operations = [
        migrations.AddField(
            model_name="definition",
            name="code_read_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When that source was read for the first time.",
                null=True,
                verbose_name="code read",
            ),
        ),
        migrations.AddField(
            model_name="worker",
            name="code",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text=(
                    "The hash of the code that it holds of each workflow; empty where its files changed meanwhile."
                ),
                verbose_name="code",
            ),
        ),
    ]
