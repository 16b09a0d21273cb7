"""``python -m django_wfe.demo``: run the demo, or delete its data."""

import shutil
import sys
from pathlib import Path

from django_wfe.demo.arguments import parse_arguments
from django_wfe.demo.servers.embedded import ServerError
from django_wfe.demo.servers.installation import DemoError, Installation
from django_wfe.demo.servers.supervisor import guard


def main() -> int:
    """Do what the command line asks for and return the exit code."""
    if not sys.platform.startswith("linux"):
        sys.stderr.write(
            f"The demo runs on Linux only (it ends its servers by Linux's means), not on {sys.platform}.\n"
        )
        return 1
    arguments = parse_arguments()
    if arguments.command == "clean":
        return clean(arguments.directory)
    command = [sys.executable, "-m", "django_wfe.demo.run", *sys.argv[1:]]
    return guard(command, with_parent=arguments.stop_with_parent)


def clean(directory: Path) -> int:
    """Delete the demo's data and logs; refused while it runs."""
    if not directory.exists():
        return 0
    installation = Installation(directory, port=0, say=print)
    try:
        with installation:
            installation.delete()
    except (DemoError, ServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
