"""Takes the values out of what pydantic said of input, and gives what the engine writes into an event its own key.

It works in batches that are committed one by one, and goes on where it was cut off. Where there is nothing to do it reads
each table once.
"""

from django.db import migrations

BATCH = 1000

# What pydantic writes on a line; then values of several lines; then what was cut in the midst.
PATTERNS = (
    (r", input_value=[^\n]*, input_type=[^]\n]*\]", "]"),
    (r", input_value=.*?, input_type=[^]]*\]", "]"),
    (r", input_value=[^\n]*", ""),
)


def clean(column):
    for pattern, left in PATTERNS:
        column = f"regexp_replace({column}, '{pattern}', '{left}', 'g')"
    return column


QUOTES = "LIKE '%%input_value=%%'"

STEPS = (
    (
        "django_wfe_jobevent",
        "kind IN ('input_refused', 'parked', 'step_lost') AND jsonb_exists(data, 'reason')",
        f"data = (data - 'reason') || jsonb_build_object('detail', {clean('''(data ->> 'reason')''')})",
    ),
    (
        "django_wfe_jobevent",
        f"kind IN ('failed', 'retry_scheduled', 'step_failed') AND data ->> 'error' {QUOTES}",
        f"data = data || jsonb_build_object('error', {clean('''(data ->> 'error')''')})",
    ),
    ("django_wfe_job", f"error {QUOTES}", f"error = {clean('error')}"),
    (
        "django_wfe_steprun",
        f"state = 'FAILED' AND (error {QUOTES} OR traceback {QUOTES})",
        f"error = {clean('error')}, traceback = {clean('traceback')}",
    ),
    ("django_wfe_workflow", f"load_error {QUOTES}", f"load_error = {clean('load_error')}"),
)


def leave_input_out(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        for table, where, change in STEPS:
            cursor.execute(f"SELECT id FROM {table} WHERE {where}", ())
            ids = [row[0] for row in cursor.fetchall()]
            for start in range(0, len(ids), BATCH):
                # Asked again: a worker may have changed the row since.
                cursor.execute(
                    f"UPDATE {table} SET {change} WHERE id = ANY(%s) AND {where}", [ids[start : start + BATCH]]
                )


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('django_wfe', '0007_lease'),
    ]

    operations = [
        migrations.RunPython(leave_input_out, migrations.RunPython.noop, elidable=True),
    ]
