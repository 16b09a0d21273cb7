"""Find the Jobs of a version that wait for somebody or something: an index, built beside the work."""

from django.db import migrations, models

from django_wfe.migrations._indexes import replace_indexes

NAME = "wfe_job_standing"
PLACE = (
    "django_wfe_job (definition_id, state, id DESC) WHERE state IN ('FAILED', 'INPUT_REQUIRED', 'PAUSED', 'WAITING')"
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("django_wfe", "0018_expires_at")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="job",
                    index=models.Index(
                        condition=models.Q(("state__in", ["FAILED", "INPUT_REQUIRED", "PAUSED", "WAITING"])),
                        fields=["definition", "state", "-id"],
                        name=NAME,
                    ),
                ),
            ],
            database_operations=[replace_indexes({NAME: PLACE}, {})],
        ),
    ]
