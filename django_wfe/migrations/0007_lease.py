
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0006_foreign_messages'),
    ]

    operations = [
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('term', models.BigAutoField(primary_key=True, serialize=False, verbose_name='term')),
                ('role', models.CharField(max_length=32, unique=True, verbose_name='role')),
                ('holder', models.UUIDField(blank=True, null=True, verbose_name='holder')),
                ('holder_name', models.CharField(blank=True, max_length=255, verbose_name="holder's name")),
                ('taken_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='taken')),
                ('renewed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='renewed')),
                ('expires_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='expires')),
            ],
            options={
                'verbose_name': 'lease',
                'verbose_name_plural': 'leases',
                'ordering': ['role'],
                'default_permissions': (),
            },
        ),
    ]
