"""Use a temporary demo as people would, and say whether it works: ``python -m tests.support.demo.check``."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from django_wfe.demo.run import FAILED, STOPPED, say
from django_wfe.demo.servers.embedded import ServerError
from django_wfe.demo.servers.installation import DemoError, Installation
from django_wfe.demo.servers.supervisor import PartDied, StopRequested, guard

SUPERVISED = "--supervised"


def main() -> int:
    """Run the check below a process that ends all others with it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.demo.check", description=__doc__)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that it may take (default: 300)")
    parser.add_argument("--stop-with-parent", action="store_true", help="stop when the process that started it ends")
    parser.add_argument(SUPERVISED, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.supervised:
        command = [sys.executable, "-m", "tests.support.demo.check", *sys.argv[1:], SUPERVISED]
        return guard(command, with_parent=arguments.stop_with_parent)
    try:
        return check(arguments.timeout)
    except StopRequested:
        say("The check is stopped.")
        return STOPPED
    except (DemoError, ServerError, PartDied, OSError) as error:
        say(f"The check stops: {error}")
        return FAILED


def check(timeout: float) -> int:
    """Start the demo in a temporary directory, have a visitor use it, and return 0 if all went well."""
    directory = Path(tempfile.mkdtemp(prefix="wfe-check-"))
    # The servers may run as another user; secrets in here have modes of their own.
    directory.chmod(0o755)
    installation = Installation(directory, port=0, say=say, durable=False)
    try:
        with installation:
            installation.start()
            visitor = installation.make_child(
                "check", ["-m", "tests.support.demo.visitor", installation.address], quiet=False
            )
            code = installation.supervisor.run(visitor, timeout)
    except BaseException:
        say(f"The logs are kept in {installation.logs}.")
        raise
    if code == 0:
        installation.delete()
        shutil.rmtree(directory)
    else:
        say(f"The logs are kept in {installation.logs}.")
    return code


if __name__ == "__main__":
    sys.exit(main())
