"""Keep why a declaration or a verb was refused as what can be said in each reader's language."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_wfe", "0014_step_kind"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulkitem",
            name="sentence",
            field=models.JSONField(
                blank=True,
                help_text="The message in translatable form.",
                null=True,
                verbose_name="sentence",
            ),
        ),
        migrations.AddField(
            model_name="workflow",
            name="problems",
            field=models.JSONField(
                blank=True,
                help_text="The problems of its declaration in translatable form.",
                null=True,
                verbose_name="problems",
            ),
        ),
    ]
