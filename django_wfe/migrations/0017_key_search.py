"""Find Jobs by a part of their key: two indexes, built beside the work, of the Jobs that have one."""

import django.db.models.functions.text
from django.db import migrations, models

import django_wfe.models.columns.keys

INDEXES = {
    "wfe_job_key_begins": "(upper(key) text_pattern_ops)",
    "wfe_job_key_numbers": "USING gin ((string_to_array(regexp_replace(key, '[^0-9]+', ' ', 'g'), ' ')))",
}


def add(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        for name, content in INDEXES.items():
            # One whose building was cut off is there, and of no use.
            cursor.execute("SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [name])
            if cursor.fetchone() is not None:
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            cursor.execute(
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON django_wfe_job {content} WHERE key IS NOT NULL"
            )


def remove(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        for name in INDEXES:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("django_wfe", "0016_words_of_states")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="job",
                    index=django_wfe.models.columns.keys.BeginningIndex(
                        django.db.models.functions.text.Upper("key"),
                        condition=models.Q(("key__isnull", False)),
                        name="wfe_job_key_begins",
                    ),
                ),
                migrations.AddIndex(
                    model_name="job",
                    index=django_wfe.models.columns.keys.InvertedIndex(
                        django_wfe.models.columns.keys.KeyNumbers("key"),
                        condition=models.Q(("key__isnull", False)),
                        name="wfe_job_key_numbers",
                    ),
                ),
            ],
            database_operations=[migrations.RunPython(add, remove)],
        ),
    ]
