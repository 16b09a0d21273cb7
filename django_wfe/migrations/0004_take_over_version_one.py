"""Takes over a database of django-wfe 1.x. Has to come before every migration that changes a table of 0001_initial."""

from django.db import migrations, models

from django_wfe.version_one.operations import TakeOver


class Migration(migrations.Migration):

    dependencies = [("django_wfe", "0003_auto_20200521_0854")]

    operations = [
        TakeOver(),
        migrations.AlterField(
            model_name='jobevent',
            name='kind',
            field=models.CharField(choices=[('started', 'started'), ('input_provided', 'input provided'), ('claimed', 'claimed for input'), ('released', 'claim released'), ('taken_over', 'claim taken over'), ('input_refused', 'stored input no longer valid'), ('step_failed', 'step failed'), ('step_lost', 'step lost its worker'), ('retry_scheduled', 'retry scheduled'), ('parked', 'parked: code not loaded'), ('failed', 'failed'), ('finished', 'finished'), ('canceled', 'canceled'), ('paused', 'paused'), ('resumed', 'resumed'), ('retried', 'retried'), ('skipped', 'skipped'), ('rerun', 'run again from an earlier step'), ('adopted', 'taken over from django-wfe 1.x')], max_length=32, verbose_name='kind'),
        ),
    ]
