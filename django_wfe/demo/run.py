"""The supervisor process of the demo. ``django_wfe.demo.__main__`` starts it; people do not."""

import sys

from django_wfe.demo.arguments import Arguments, parse_arguments
from django_wfe.demo.servers.embedded import ServerError
from django_wfe.demo.servers.installation import DemoError, Installation
from django_wfe.demo.servers.supervisor import PartDied, StopRequested
from django_wfe.demo.users import ADMIN, CLERK, LEAD

FAILED = 1
STOPPED = 0


def main() -> int:
    """Run the demo as the arguments say, and return the exit code."""
    try:
        return run(parse_arguments())
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


def say(line: str) -> None:
    """Write a line for people; a terminal that is gone is no reason to stop in the middle."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
