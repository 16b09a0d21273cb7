"""Building indexes beside the work, for migrations that are not atomic."""

from django.db import migrations


def replace_indexes(added, dropped):
    """Return the operation that builds and drops indexes, and does the opposite when it is taken back.

    Both map the name of each to what follows ON. Nothing is done in a database that the engine does not use.
    """

    def change(schema_editor, added, dropped):
        if schema_editor.connection.vendor == "postgresql":
            with schema_editor.connection.cursor() as cursor:
                change_indexes(cursor, added, dropped)

    return migrations.RunPython(
        lambda apps, schema_editor: change(schema_editor, added, dropped),
        lambda apps, schema_editor: change(schema_editor, dropped, added),
    )


def change_indexes(cursor, added, dropped):
    """Build indexes, and then drop others. Cut off, it goes on where it was.

    ``added`` maps the name of each to what follows ON: its table, its columns and its condition; ``dropped`` holds names.
    """
    for name, place in added.items():
        # One whose building was cut off is there, and of no use.
        cursor.execute("SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [name])
        if cursor.fetchone() is not None:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        cursor.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {place}")
    for name in dropped:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
