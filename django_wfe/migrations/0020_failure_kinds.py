"""Let open repairs stop on fingerprints that are worked out anew.

The watchdog renews those of failed step runs. Those that lost their workers have no index by fingerprint and are few:
they are renewed here.
"""

from django.db import migrations, models

from django_wfe.engine.errors.fingerprints import compute_fingerprint

BATCH = 1000


def renew_lost(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    runs = apps.get_model("django_wfe", "StepRun").objects.using(schema_editor.connection.alias)
    bulk_runs = apps.get_model("django_wfe", "BulkRun").objects.using(schema_editor.connection.alias)
    lost = runs.filter(state="LOST", fingerprint__gt="").order_by("pk")
    after = 0
    # One at a time from the index of what is not done; most runs that were lost hold the same few kinds.
    while rows := list(lost.filter(pk__gt=after).values("pk", "step", "error_type", "fingerprint")[:BATCH]):
        after = rows[-1]["pk"]
        kinds = {}
        for row in rows:
            if row["fingerprint"] < "g":
                kinds.setdefault((row["step"], row["error_type"], row["fingerprint"]), []).append(row["pk"])
        for (step, error_type, old), ids in kinds.items():
            new = compute_fingerprint(step, error_type, "", "")
            runs.filter(pk__in=ids).update(fingerprint=new)
            bulk_runs.filter(stop_on_fingerprint=old, state__in=["WAITING", "RUNNING"]).update(stops_also_on=[new])


class Migration(migrations.Migration):
    dependencies = [
        ("django_wfe", "0019_standing_jobs"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulkrun",
            name="stops_also_on",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                editable=False,
                help_text="Further fingerprints: each failure at one of their places counts.",
                verbose_name="stops also on",
            ),
        ),
        migrations.RunPython(renew_lost, migrations.RunPython.noop, elidable=True),
    ]
