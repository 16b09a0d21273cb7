
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# A row without an actor and a name was trusted code's, or a deleted user's whose name was "": users came in by the
# admin and REST. The latter are not let go on as trusted code.
FIND_TRUSTED = """
UPDATE django_wfe_bulkrun SET is_trusted = TRUE
WHERE actor_id IS NULL AND actor_name = '' AND source NOT IN ('admin', 'rest')
"""

COUNT_SHARES = """
UPDATE django_wfe_bulkrun AS run SET shares = counted.shares FROM (
    SELECT bulk_run_id, jsonb_object_agg(workflow_id, number) AS shares FROM (
        SELECT item.bulk_run_id, job.workflow_id, count(*) AS number
        FROM django_wfe_bulkitem AS item JOIN django_wfe_job AS job ON job.id = item.job_id
        GROUP BY item.bulk_run_id, job.workflow_id
    ) AS share GROUP BY bulk_run_id
) AS counted WHERE counted.bulk_run_id = run.id
"""

SOURCES = [('engine', 'engine'), ('python', 'Python'), ('admin', 'admin'), ('rest', 'REST'), ('command', 'command')]


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0008_leave_input_out'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='bulkrun',
            name='is_trusted',
            field=models.BooleanField(db_default=False, default=False, help_text='Started by code, for no user: no permission is asked for.', verbose_name='trusted'),
        ),
        migrations.AddField(
            model_name='bulkrun',
            name='shares',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text="How many of the jobs belong to each workflow, by the workflow's id.", verbose_name='shares'),
        ),
        migrations.CreateModel(
            name='BulkEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('stopped', 'stopped'), ('actor_gone', 'stopped by itself: who started it is no active user any more'), ('returned', 'stopped by itself: the failure came back')], max_length=16, verbose_name='kind')),
                ('actor_name', models.CharField(blank=True, max_length=255, verbose_name="actor's name")),
                ('source', models.CharField(choices=SOURCES, default='engine', max_length=16, verbose_name='source')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
                ('bulk_run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='django_wfe.bulkrun', verbose_name='bulk run')),
            ],
            options={
                'verbose_name': 'bulk event',
                'verbose_name_plural': 'bulk events',
                'ordering': ['id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('jobs', 'jobs'), ('step_runs', 'step runs'), ('step_runs_with_data', 'step runs with their data')], max_length=32, verbose_name='kind')),
                ('file_format', models.CharField(help_text="The ending of the file's name.", max_length=16, verbose_name='format')),
                ('query', models.TextField(blank=True, help_text='The query string of the list that was exported.', verbose_name='filter')),
                ('total', models.PositiveIntegerField(default=0, verbose_name='rows')),
                ('shares', models.JSONField(blank=True, default=dict, help_text="How many of the rows belong to each workflow, by the workflow's id.", verbose_name='shares')),
                ('actor_name', models.CharField(blank=True, max_length=255, verbose_name="actor's name")),
                ('source', models.CharField(choices=SOURCES, default='python', max_length=16, verbose_name='source')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
            ],
            options={
                'verbose_name': 'export',
                'verbose_name_plural': 'exports',
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.RunSQL(FIND_TRUSTED, migrations.RunSQL.noop),
        migrations.RunSQL(COUNT_SHARES, migrations.RunSQL.noop),
    ]
