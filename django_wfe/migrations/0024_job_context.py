"""What surrounded the start of a Job."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0023_attributes'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='context',
            field=models.JSONField(blank=True, help_text='What surrounded its start, such as the tenant: WFE_CONTEXT captures and enters it.', null=True, verbose_name='context'),
        ),
    ]
