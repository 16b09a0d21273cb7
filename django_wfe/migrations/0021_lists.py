"""Find the Jobs of a version that wait for somebody or something."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_wfe", "0016_words_of_states"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("state__in", ["FAILED", "INPUT_REQUIRED", "PAUSED", "WAITING"])),
                fields=["definition", "state", "-id"],
                name="wfe_job_standing",
            ),
        ),
    ]
