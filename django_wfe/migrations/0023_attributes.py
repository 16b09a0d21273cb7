"""The attributes and the subject by which Jobs are found."""


import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_wfe', '0022_fewer_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='workflow',
            name='has_attributes',
            field=models.BooleanField(db_default=False, default=False, help_text='Its code says by which attributes a job is found.', verbose_name='has attributes'),
        ),
        migrations.AddField(
            model_name='workflow',
            name='subject',
            field=models.CharField(blank=True, db_default='', default='', help_text='The model of the rows that its jobs are about, such as shop.order; empty: about none.', max_length=255, verbose_name='subject'),
        ),
        migrations.CreateModel(
            name='JobAttribute',
            fields=[
                ('pk', models.CompositePrimaryKey('job_id', 'name', blank=True, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255, verbose_name='name')),
                ('value', models.CharField(max_length=255, verbose_name='value')),
                ('job', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attribute_rows', to='django_wfe.job', verbose_name='job')),
            ],
            options={
                'verbose_name': 'attribute of a job',
                'verbose_name_plural': 'attributes of jobs',
                'ordering': ['job', 'name'],
                'indexes': [models.Index(fields=['name', 'value', '-job'], name='wfe_attribute_found')],
            },
        ),
    ]
