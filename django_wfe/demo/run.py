"""The supervisor process of the demo. ``django_wfe.demo.__main__`` starts it; people do not."""

import shutil
import sys
import tempfile
from pathlib import Path

from django_wfe.demo.arguments import Arguments, parse_arguments
from django_wfe.demo.servers.embedded import ServerError
from django_wfe.demo.servers.installation import DemoError, Installation
from django_wfe.demo.servers.supervisor import PartDied, StopRequested
from django_wfe.demo.users import ADMIN, CLERK, LEAD

FAILED = 1
STOPPED = 0


def main() -> int:
    """Do what the arguments ask for and return the exit code."""
    arguments = parse_arguments()
    try:
        if arguments.command == "check":
            return check(arguments)
        return run(arguments)
    except StopRequested:
        say("The demo is stopped.")
        return STOPPED
    except (DemoError, ServerError, PartDied, OSError) as error:
        say(f"The demo stops: {error}")
        return FAILED


def run(arguments: Arguments) -> int:
    """Run the demo until somebody asks for its end."""
    with Installation(arguments.directory, port=arguments.port, say=say) as installation:
        installation.start()
        say(f"\nOpen  {installation.address}")
        say(f"  as  {ADMIN}, password {ADMIN}   (may do everything)")
        say(f"  or  {LEAD}, password {LEAD}     (the team lead: answers, and repairs what failed)")
        say(f"  or  {CLERK}, password {CLERK}   (sees jobs and gives them input)")
        say("Try this; the page that opens tells more:")
        say(f"  Answer as team lead      sign in as {LEAD} and open the inbox")
        say("  Repair what failed       open the incidents, and retry all of one kind")
        say("  Kill a worker            the page names its process; it comes back, and its step is run again")
        say(f"  See the REST API         curl -u {LEAD}:{LEAD} '{installation.address}wfe/jobs/?state=FAILED'")
        say(f"Logs are in {arguments.directory / 'logs'}. Press Ctrl-C to stop.")
        installation.supervisor.wait_forever()
    return STOPPED


def check(arguments: Arguments) -> int:
    """Start the demo in a temporary directory, use it as people would, and return 0 if all went well."""
    directory = Path(tempfile.mkdtemp(prefix="wfe-check-"))
    # The servers may run as another user; secrets in here have modes of their own.
    directory.chmod(0o755)
    installation = Installation(directory, port=arguments.port, say=say, durable=False)
    try:
        with installation:
            installation.start()
            visitor = installation.make_child(
                "check", ["-m", "django_wfe.demo.check", installation.address], quiet=False
            )
            code = installation.supervisor.run(visitor, arguments.timeout)
    except BaseException:
        say(f"The logs are kept in {installation.logs}.")
        raise
    if code == 0:
        installation.delete()
        shutil.rmtree(directory)
    else:
        say(f"The logs are kept in {installation.logs}.")
    return code


def say(line: str) -> None:
    """Write a line for people; a terminal that is gone is no reason to stop in the middle."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
