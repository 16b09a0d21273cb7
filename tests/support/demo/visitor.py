"""Use a running demo as people would, through HTTP only: ``python -m tests.support.demo.visitor ADDRESS``."""

import sys
import time

from tests.support.demo.browser import UnexpectedPage
from tests.support.demo.scenarios import SCENARIOS
from tests.support.demo.visits import JobReport, Visit


def main() -> int:
    """Go through every scenario, say a line about each Job, and return 0 if all came to their ends, else 1."""
    started = time.monotonic()
    visit = Visit(sys.argv[1])
    title = "the sign-in"
    try:
        visit.sign_in()
        for title, play in SCENARIOS:
            job = play(visit)
            sys.stdout.write(f"{describe(visit.report(job), title)}\n")
            sys.stdout.flush()
    except (UnexpectedPage, LookupError, ValueError, OSError) as error:
        sys.stdout.write(f"FAILED at {title}: {error}\n")
        return 1
    sys.stdout.write(f"{len(SCENARIOS)} jobs are finished, after {time.monotonic() - started:.1f} s.\n")
    return 0


def describe(report: JobReport, title: str) -> str:
    """One line about a Job: its name, what it was about, how long it took, and its steps with their working times."""
    steps = []
    for step in report.steps:
        trouble = "" if step.state == "FINISHED" else f" {step.state}"
        steps.append(f"{step.step}{trouble} {step.worked}".strip())
    return f"{report.name}  FINISHED in {report.took}  ({title}): {' > '.join(steps)}"


if __name__ == "__main__":
    sys.exit(main())
