"""A project whose tables are in a schema of their own, in a database whose transactions are REPEATABLE READ.

Its people have names for keys; its pages are German, with a point in large numbers, and all its ids are large.
"""

from tests.projects.options import Options

OPTIONS = Options(
    prepare=(
        "CREATE SCHEMA shop",
        "ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'",
    ),
)
