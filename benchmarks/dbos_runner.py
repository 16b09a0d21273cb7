"""DBOS as a contender. Run by the Python of its own environment, which has neither Django nor django-wfe.

Its argument is the URL of its database. It answers as ``benchmarks.engine_runner`` does.
"""

from __future__ import annotations

import json
import sys
import time

from dbos import DBOS  # type: ignore[import-not-found]


@DBOS.step()  # type: ignore[untyped-decorator]
def do_nothing() -> None:
    """Do nothing."""


@DBOS.workflow()  # type: ignore[untyped-decorator]
def run_steps(steps: int) -> None:
    """Run so many steps, one after another."""
    for _ in range(steps):
        do_nothing()


def main(url: str) -> None:
    """Answer each question until there is none."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    DBOS(
        config={
            "name": "wfe-benchmark",
            "system_database_url": url,
            "run_admin_server": False,
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    for line in sys.stdin:
        arguments = json.loads(line)["arguments"]
        milliseconds = []
        for _ in range(arguments["jobs"]):
            began = time.perf_counter()
            run_steps(arguments["steps"])
            milliseconds.append((time.perf_counter() - began) * 1000)
        answers.write(json.dumps(milliseconds) + "\n")
        answers.flush()
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1])
