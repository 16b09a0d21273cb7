"""``python -m tests.chaos.storm``: run a storm and report. Exit code 1 where a promise was broken."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

from django_wfe.demo.servers.supervisor import guard
from tests.chaos.storm.driver import Options, run_storm
from tests.chaos.storm.servers import BROKERS


def main() -> int:
    """Run a storm as the arguments say, in a process under guard, so that nothing is left of it however it ends."""
    arguments = _parse()
    if arguments.directory is not None:
        return _run(arguments)
    directory = Path(tempfile.mkdtemp(prefix="wfe-storm-"))
    # The servers run as another account where this process is root's.
    directory.chmod(0o755)
    try:
        command = [sys.executable, "-m", "tests.chaos.storm", *sys.argv[1:], "--directory", str(directory)]
        return guard(command, with_parent=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="rabbitmq")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults are done (default: 5)")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, help="repeats the schedule of faults that it stands for (default: chance)")
    parser.add_argument("--masters", type=int, default=3, help="how many times rundramatiq runs (default: 3)")
    parser.add_argument("--processes", type=int, default=2, help="worker processes of each (default: 2)")
    parser.add_argument("--threads", type=int, default=4, help="threads of each worker process (default: 4)")
    parser.add_argument("--json", type=Path, help="write the report to this file, too")
    parser.add_argument("--logs", type=Path, help="keep the logs of all processes in this folder")
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.jobs < 1 or arguments.minutes <= 0:
        parser.error("give at least one job and some time")
    return arguments


def _run(arguments: argparse.Namespace) -> int:
    logs = arguments.logs or arguments.directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    options = Options(
        broker=arguments.broker,
        minutes=arguments.minutes,
        jobs=arguments.jobs,
        seed=arguments.seed if arguments.seed is not None else random.randrange(1_000_000),
        masters=arguments.masters,
        processes=arguments.processes,
        threads=arguments.threads,
    )
    report = run_storm(options, arguments.directory, logs.absolute(), lambda text: print(text, flush=True))
    print(report.to_text(), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report.to_json(), indent=2) + "\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
