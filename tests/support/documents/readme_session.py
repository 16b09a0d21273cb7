"""Types a Python session, read from stdin, into a shell of the project in the current folder. A script of its own.

Where the file shows an answer, the line is typed again until Python gives that answer, for a while.
Exits with 1, and says what differs, where the answer does not come.
"""

import contextlib
import doctest
import io
import os
import sys
import time
import traceback

TIMEOUT = 30.0  # seconds
INTERVAL = 0.2
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def main() -> int:
    """Go through the session."""
    # As "manage.py shell" does.
    sys.path.insert(0, os.getcwd())
    import django

    django.setup()
    names: dict[str, object] = {}
    for example in doctest.DocTestParser().get_examples(sys.stdin.read()):
        deadline = time.monotonic() + TIMEOUT
        while not is_answer(example, answer := run(example.source, names)):
            if time.monotonic() > deadline:
                sys.stdout.write(f">>> {example.source}answers:\n{answer}\nand not:\n{example.want}")
                return 1
            time.sleep(INTERVAL)
    return 0


def run(source: str, names: dict[str, object]) -> str:
    """Run one line and give what a shell would show."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            exec(compile(source, "<session>", "single"), names)
        except Exception:
            sys.stdout.write(traceback.format_exc())
    return output.getvalue()


def is_answer(example: doctest.Example, answer: str) -> bool:
    """Tell whether the answer is what the session shows; of a traceback only its message is compared."""
    if example.exc_msg is not None:
        return doctest.OutputChecker().check_output(f"...{example.exc_msg}...", answer, FLAGS)
    return doctest.OutputChecker().check_output(example.want, answer, FLAGS)


if __name__ == "__main__":
    sys.exit(main())
