"""Call a person's hold on a waiting input what the pages call it. No table changes: the names in the database stay."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("django_wfe", "0011_words")]

    operations = [
        migrations.AlterModelTable(name="inputclaim", table="django_wfe_inputclaim"),
        migrations.RenameModel(old_name="InputClaim", new_name="Assignment"),
        migrations.AlterField(
            model_name="assignment",
            name="claimed_at",
            field=models.DateTimeField(blank=True, db_column="claimed_at", null=True, verbose_name="assigned"),
        ),
        migrations.RenameField(model_name="assignment", old_name="claimed_at", new_name="assigned_at"),
        migrations.AlterField(
            model_name="assignment",
            name="step_run",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="assignment",
                to="django_wfe.steprun",
                verbose_name="step run",
            ),
        ),
    ]
