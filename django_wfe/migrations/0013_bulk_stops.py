"""Leave to the events of bulk runs why these stopped: as a code and values, in place of a sentence in the row.

Sentences that no event tells stay, and so do those of workers that go on with the code of before.
"""

from django.db import migrations, models

STEPS = (
    # In whichever language the sentence was written, the number of the job is the only one in it.
    """
    UPDATE django_wfe_bulkevent AS event
    SET data = jsonb_build_object('job', substring(bulk.stop_reason FROM '[0-9]+')::bigint)
    FROM django_wfe_bulkrun AS bulk
    WHERE bulk.id = event.bulk_run_id AND event.kind = 'returned' AND bulk.stop_reason ~ '^[^0-9]*[0-9]{1,18}[^0-9]*$'
    """,
    """
    UPDATE django_wfe_bulkevent AS event SET kind = 'actor_inactive'
    FROM django_wfe_bulkrun AS bulk
    WHERE bulk.id = event.bulk_run_id AND event.kind = 'actor_gone' AND bulk.actor_id IS NOT NULL
    """,
    """
    UPDATE django_wfe_bulkrun AS bulk SET stop_reason = ''
    FROM django_wfe_bulkevent AS event
    WHERE event.bulk_run_id = bulk.id AND bulk.stop_reason <> '' AND (event.kind <> 'returned' OR event.data ? 'job')
    """,
)


def read_stops(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        for step in STEPS:
            cursor.execute(step)


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0012_assignment'),
    ]

    operations = [
        migrations.AddField(
            model_name='bulkevent',
            name='data',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, verbose_name='data'),
        ),
        migrations.AlterField(
            model_name='bulkevent',
            name='kind',
            field=models.CharField(choices=[('stopped', 'stopped'), ('actor_gone', 'stopped by itself: the user who started it no longer exists'), ('actor_inactive', 'stopped by itself: the user who started it is no longer active'), ('returned', 'stopped by itself: the failure came back')], max_length=16, verbose_name='kind'),
        ),
        migrations.RunPython(read_stops, migrations.RunPython.noop, elidable=True),
    ]
