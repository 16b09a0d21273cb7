"""Keep by when an input is expected in a column, so that what waits can be sorted by it, and fill it for what waits now.

It locks no table for long: the column is empty at first, the fill is committed in batches, and the indexes are built beside
the work. Cut off, it goes on where it was. What workers of before the upgrade open meanwhile, the watchdog fills.
"""

from django.db import migrations, models
from django.db.models.functions import Now

from django_wfe.migrations._indexes import change_indexes

BATCH = 1000
LONGEST = 100 * 365 * 86_400

FIND = f"""
SELECT run.id, asked.within
FROM (
    SELECT definition.id AS definition_id, node ->> 'path' AS step, (node ->> 'input_within')::float8 AS within
    FROM django_wfe_definition AS definition, jsonb_array_elements(definition.graph -> 'nodes') AS node
    WHERE node ->> 'input_within' IS NOT NULL
) AS asked
JOIN django_wfe_job AS job ON job.definition_id = asked.definition_id
JOIN django_wfe_steprun AS run ON run.job_id = job.id AND run.step = asked.step
WHERE run.state = 'INPUT_REQUIRED' AND run.expires_at IS NULL AND asked.within <= {LONGEST}
"""

FILL = """
UPDATE django_wfe_steprun AS run SET expires_at = run.created_at + asked.within * INTERVAL '1 second'
FROM unnest(%s::bigint[], %s::float8[]) AS asked (id, within)
WHERE run.id = asked.id AND run.state = 'INPUT_REQUIRED' AND run.expires_at IS NULL
"""

COLUMN = "expires_at timestamp with time zone NULL"
INDEXES = {
    "wfe_run_due": "django_wfe_steprun (expires_at, created_at, id) WHERE state = 'INPUT_REQUIRED'",
    "wfe_run_due_step": "django_wfe_steprun (step, expires_at, created_at, id) WHERE state = 'INPUT_REQUIRED'",
    "wfe_job_waiting_workflow": "django_wfe_job (workflow_id, id DESC) WHERE state = 'INPUT_REQUIRED'",
}
FORMER = {"wfe_run_waiting": "django_wfe_steprun (created_at) WHERE state = 'INPUT_REQUIRED'"}


def add(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        # A database that the engine does not use: later migrations look for the column all the same.
        schema_editor.add_field(apps.get_model("django_wfe", "StepRun"), build_field())
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE django_wfe_steprun ADD COLUMN IF NOT EXISTS {COLUMN}")
        cursor.execute(FIND)
        found = cursor.fetchall()
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            cursor.execute(FILL, [[row[0] for row in batch], [row[1] for row in batch]])
        change_indexes(cursor, INDEXES, FORMER)


def build_field():
    field = models.DateTimeField(blank=True, null=True)
    field.set_attributes_from_name("expires_at")
    return field


def remove(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.remove_field(apps.get_model("django_wfe", "StepRun"), build_field())
        return
    with schema_editor.connection.cursor() as cursor:
        change_indexes(cursor, FORMER, INDEXES)
        cursor.execute("ALTER TABLE django_wfe_steprun DROP COLUMN IF EXISTS expires_at")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("django_wfe", "0017_key_search")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="steprun",
                    name="expires_at",
                    field=models.DateTimeField(
                        blank=True,
                        help_text="By when its input is expected. Written where it opens; empty if the step names no time.",
                        null=True,
                        verbose_name="due",
                    ),
                ),
                migrations.RemoveIndex(model_name="steprun", name="wfe_run_waiting"),
                migrations.AddIndex(
                    model_name="steprun",
                    index=models.Index(
                        condition=models.Q(("state", "INPUT_REQUIRED")),
                        fields=["expires_at", "created_at", "id"],
                        name="wfe_run_due",
                    ),
                ),
                migrations.AddIndex(
                    model_name="steprun",
                    index=models.Index(
                        condition=models.Q(("state", "INPUT_REQUIRED")),
                        fields=["step", "expires_at", "created_at", "id"],
                        name="wfe_run_due_step",
                    ),
                ),
                migrations.AddIndex(
                    model_name="job",
                    index=models.Index(
                        condition=models.Q(("state", "INPUT_REQUIRED")),
                        fields=["workflow", "-id"],
                        name="wfe_job_waiting_workflow",
                    ),
                ),
            ],
            database_operations=[migrations.RunPython(add, remove)],
        ),
        migrations.AlterField(
            model_name="steprun",
            name="due_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="ready from"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("started", "started"),
                    ("input_provided", "input provided"),
                    ("claimed", "assigned"),
                    ("released", "assignment released"),
                    ("taken_over", "assignment taken over"),
                    ("handed_over", "assigned to somebody else"),
                    ("input_refused", "stored input no longer valid"),
                    ("step_failed", "step failed"),
                    ("step_lost", "step lost its worker"),
                    ("retry_scheduled", "retry scheduled"),
                    ("parked", "parked: code not loaded"),
                    ("failed", "failed"),
                    ("finished", "finished"),
                    ("canceled", "canceled"),
                    ("paused", "paused"),
                    ("resumed", "resumed"),
                    ("retried", "retried"),
                    ("skipped", "skipped"),
                    ("rerun", "run again from an earlier step"),
                    ("adopted", "taken over from django-wfe 1.x"),
                ],
                max_length=32,
                verbose_name="kind",
            ),
        ),
    ]
