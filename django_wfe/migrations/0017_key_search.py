"""Find Jobs by a part of their key: two indexes, built beside the work, of the Jobs that have one."""

import django.db.models.functions.text
from django.db import migrations, models

import django_wfe.models.columns.keys
from django_wfe.migrations._indexes import replace_indexes

INDEXES = {
    "wfe_job_key_begins": "django_wfe_job (upper(key) text_pattern_ops) WHERE key IS NOT NULL",
    "wfe_job_key_numbers": (
        "django_wfe_job USING gin ((string_to_array(regexp_replace(key, '[^0-9]+', ' ', 'g'), ' '))) "
        "WHERE key IS NOT NULL"
    ),
}


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("django_wfe", "0016_words_of_states")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="job",
                    index=django_wfe.models.columns.keys.BeginningIndex(
                        django.db.models.functions.text.Upper("key"),
                        condition=models.Q(("key__isnull", False)),
                        name="wfe_job_key_begins",
                    ),
                ),
                migrations.AddIndex(
                    model_name="job",
                    index=django_wfe.models.columns.keys.InvertedIndex(
                        django_wfe.models.columns.keys.KeyNumbers("key"),
                        condition=models.Q(("key__isnull", False)),
                        name="wfe_job_key_numbers",
                    ),
                ),
            ],
            database_operations=[replace_indexes(INDEXES, {})],
        ),
    ]
