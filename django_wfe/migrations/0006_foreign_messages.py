
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0005_worker_code'),
    ]

    operations = [
        migrations.AddField(
            model_name='worker',
            name='foreign_messages',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text='How many messages it got that are about another database, by the name of that.', verbose_name='messages of other databases'),
        ),
        migrations.AddField(
            model_name='worker',
            name='queues',
            field=models.CharField(blank=True, db_default='', default='', help_text='The queues that it reads, with a space between two; empty: not known.', max_length=255, verbose_name='queues'),
        ),
    ]
