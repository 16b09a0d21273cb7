"""Results and inputs that are too large for a row, and the Jobs that use them."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0024_job_context'),
    ]

    operations = [
        migrations.CreateModel(
            name='LargeValue',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name='id')),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('bytes', models.BigIntegerField(verbose_name='bytes')),
                ('stored_at', models.DateTimeField(blank=True, null=True, verbose_name='stored')),
                ('swept_at', models.DateTimeField(blank=True, null=True, verbose_name='swept')),
                ('touched_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='last used')),
            ],
            options={
                'verbose_name': 'large value',
                'verbose_name_plural': 'large values',
                'ordering': ['touched_at'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['sha256'], name='wfe_large_value_sha256'), models.Index(fields=['touched_at'], name='wfe_large_value_touched')],
            },
        ),
        migrations.CreateModel(
            name='LargeValueUse',
            fields=[
                ('pk', models.CompositePrimaryKey('job_id', 'value_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('job', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='large_value_uses', to='django_wfe.job', verbose_name='job')),
                ('value', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='uses', to='django_wfe.largevalue', verbose_name='large value')),
            ],
            options={
                'verbose_name': 'use of a large value',
                'verbose_name_plural': 'uses of large values',
                'ordering': ['job', 'value'],
                'default_permissions': (),
            },
        ),
    ]
