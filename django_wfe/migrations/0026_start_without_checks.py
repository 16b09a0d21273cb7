"""The statement of a start holds the Workflow's row, which two checks of foreign keys did besides."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0025_large_values'),
    ]

    operations = [
        migrations.AlterField(
            model_name='job',
            name='definition',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='django_wfe.definition', verbose_name='definition'),
        ),
        migrations.AlterField(
            model_name='job',
            name='workflow',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='django_wfe.workflow', verbose_name='workflow'),
        ),
    ]
