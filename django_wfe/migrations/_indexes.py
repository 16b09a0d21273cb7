"""Building indexes beside the work, for migrations that are not atomic."""


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
