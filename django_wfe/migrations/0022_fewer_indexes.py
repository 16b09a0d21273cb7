"""Do with fewer indexes, each of which costs every step: five of jobs go, and two take on what they were for."""

from django.db import migrations, models

from django_wfe.migrations._indexes import replace_indexes

RARE_STATES = [
    "CANCELED",
    "FAILED",
    "INPUT_RECEIVED",
    "INPUT_REQUIRED",
    "ONGOING",
    "PAUSED",
    "PENDING",
    "WAITING",
]
OPEN_STATES = [state for state in RARE_STATES if state != "CANCELED"]
ADDED = {
    "wfe_job_rare_state": f"django_wfe_job (state, id DESC) WHERE state IN {tuple(RARE_STATES)}",
    "wfe_job_open_version": f"django_wfe_job (definition_id, state, id DESC) WHERE state IN {tuple(OPEN_STATES)}",
}
DROPPED = {
    "wfe_job_open_state": f"django_wfe_job (state, id DESC) WHERE state IN {tuple(OPEN_STATES)}",
    "wfe_job_standing": (
        "django_wfe_job (definition_id, state, id DESC)"
        " WHERE state IN ('FAILED', 'INPUT_REQUIRED', 'PAUSED', 'WAITING')"
    ),
    "wfe_job_canceled": "django_wfe_job (id DESC) WHERE state = 'CANCELED'",
    "wfe_job_created": "django_wfe_job (created_at)",
    "wfe_job_waiting_workflow": "django_wfe_job (workflow_id, id DESC) WHERE state = 'INPUT_REQUIRED'",
}


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("django_wfe", "0021_statistics")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="job",
                    index=models.Index(
                        condition=models.Q(("state__in", RARE_STATES)),
                        fields=["state", "-id"],
                        name="wfe_job_rare_state",
                    ),
                ),
                migrations.AddIndex(
                    model_name="job",
                    index=models.Index(
                        condition=models.Q(("state__in", OPEN_STATES)),
                        fields=["definition", "state", "-id"],
                        name="wfe_job_open_version",
                    ),
                ),
                *(migrations.RemoveIndex(model_name="job", name=name) for name in DROPPED),
            ],
            database_operations=[replace_indexes(ADDED, DROPPED)],
        ),
    ]
