"""Find the Jobs of a version that wait for somebody or something: an index, built beside the work."""

from django.db import migrations, models

NAME = "wfe_job_standing"


def add(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        # One whose building was cut off is there, and of no use.
        cursor.execute("SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [NAME])
        if cursor.fetchone() is not None:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {NAME} ON django_wfe_job (definition_id, state, id DESC) "
            "WHERE state IN ('FAILED', 'INPUT_REQUIRED', 'PAUSED', 'WAITING')"
        )


def remove(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")


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
            database_operations=[migrations.RunPython(add, remove)],
        ),
    ]
