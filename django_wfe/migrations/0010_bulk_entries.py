import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0009_rights'),
    ]

    operations = [
        migrations.AddField(
            model_name='bulkitem',
            name='key',
            field=models.CharField(blank=True, db_default='', default='', help_text='Names an entry that has no job; unique within the bulk run.', max_length=255, verbose_name='key'),
        ),
        migrations.AddField(
            model_name='bulkitem',
            name='options',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text='What the verb takes for this entry alone.', verbose_name='options'),
        ),
        migrations.AddField(
            model_name='bulkrun',
            name='workflow',
            field=models.ForeignKey(blank=True, db_index=False, help_text='The workflow that its entries without a job are about; it decides who sees them.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='django_wfe.workflow', verbose_name='workflow'),
        ),
        migrations.AlterField(
            model_name='bulkitem',
            name='job',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='django_wfe.job', verbose_name='job'),
        ),
        migrations.AlterField(
            model_name='bulkrun',
            name='verb',
            field=models.CharField(max_length=32, verbose_name='verb'),
        ),
        migrations.AddConstraint(
            model_name='bulkitem',
            constraint=models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('bulk_run', 'key'), name='wfe_bulk_item_key'),
        ),
    ]
