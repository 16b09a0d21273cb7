"""The arguments of ``manage.py wfe_job``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from django_wfe.definition.texts import is_storable
from django_wfe.engine.lifecycle import VERBS, Option, list_options
from django_wfe.management.job_commands.output import reject
from django_wfe.models import JobState
from django_wfe.values.json_text import UnreadableJson
from django_wfe.values.json_text import read_json as parse_json

LARGEST_NUMBER = 2**31 - 1
OPTION_PREFIX = "option_"
"""Begins what the parser calls the options of verbs, so that they meet none of its own."""

JSON_HELP = "JSON, or @FILE to read it from a file, or - to read it from the standard input."


def add_arguments(parser: CommandParser) -> None:
    """Declare every subcommand."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = _add(actions, "show", _("Show a job, and why it is where it is."))
    show.add_argument("job", type=int, metavar="ID")
    listing = _add(actions, "list", _("List jobs, newest first."))
    listing.add_argument("--state", action="append", choices=list(JobState), default=[])
    listing.add_argument("--workflow", action="append", default=[], help=_("Its id, dotted path, name or label."))
    listing.add_argument("--incident", metavar="FINGERPRINT", default="")
    _add_found_by(listing)
    listing.add_argument("--limit", type=_read_number, default=20, help=_("How many at most. Default: 20."))
    start = _add(actions, "start", _("Start a job."))
    start.add_argument("workflow", help=_("Its id, dotted path, name or label."))
    start.add_argument("--key", help=_("A second start with the same key gives the first job."))
    start.add_argument("--input", metavar="JSON", help=_("What the job starts with.") + " " + JSON_HELP)
    start.add_argument(
        "--first-input",
        metavar="JSON",
        help=_("The first step's input, committed with the start; once only with a key.") + " " + JSON_HELP,
    )
    start.add_argument("--here", action="store_true", help=_("Run it in this process, until it ends or waits."))
    given = _add(actions, "input", _("Provide the input of a waiting job."))
    given.add_argument("job", type=int, metavar="ID")
    given.add_argument("--data", required=True, help=JSON_HELP)
    for name in VERBS:
        _add_verb(actions, name)
    bulk = _add(actions, "bulk", _("Show the progress of a bulk run, and the result of each job."))
    bulk.add_argument("bulk", type=int, metavar="ID")
    bulk.add_argument("--stop", action="store_true", help=_("Stop it after the job that it is at."))
    bulk.add_argument("--reason", default="")
    bulk.add_argument("--wait", action="store_true", help=_("Follow it until it has ended."))
    bulk.add_argument("--limit", type=_read_number, default=100, help=_("How many jobs at most. Default: 100."))
    pause = _add(actions, "pause-workflow", _("Start nothing new of a workflow until it is resumed."))
    pause.add_argument("workflow", help=_("Its id, dotted path, name or label."))
    pause.add_argument("--reason", default="")
    resume = _add(actions, "resume-workflow", _("Resume a paused workflow."))
    resume.add_argument("workflow", help=_("Its id, dotted path, name or label."))


def read_json(text: str, option: str, *, stdin: Any = None) -> Any:
    """Return the value of an option: JSON, or the JSON in the file after "@", or that of the standard input for "-"."""
    try:
        if text == "-":
            text = (stdin or sys.stdin).read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return parse_json(text)
    except OSError as error:
        raise reject(
            _("%(option)s: the file cannot be read: %(error)s") % {"option": option, "error": error}
        ) from error
    except UnreadableJson as error:
        if error.__cause__ is None:
            raise reject(f"{option}: {error}") from error
        raise reject(
            _("%(option)s is not valid JSON: %(error)s") % {"option": option, "error": error.__cause__}
        ) from error
    except ValueError as error:  # the file is not UTF-8, or its name none
        raise reject(_("%(option)s is not valid JSON: %(error)s") % {"option": option, "error": error}) from error


def read_verb_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a verb that were given, by name."""
    given: dict[str, Any] = {}
    for option in list_options(VERBS[name]):
        value = options.get(f"{OPTION_PREFIX}{option.name}")
        if value is not None:
            given[option.name] = read_json(value, _write_flag(option)) if option.kind is None else value
    if options.get("expected_state") is not None:
        given["expected_state"] = options["expected_state"]
    return given


def _add(actions: Any, name: str, text: str) -> CommandParser:
    parser: CommandParser = actions.add_parser(name, help=text, description=text)
    parser.register("type", None, _read_text)  # of every argument that names no type of its own
    parser.add_argument("--json", action="store_true", dest="as_json", help=_("Print JSON."))
    parser.add_argument(
        "--user", metavar="USERNAME", help=_("Act as this user, whose permissions are asked. Default: no one's.")
    )
    return parser


def _add_verb(actions: Any, name: str) -> None:
    verb = _add(actions, name, _("%(verb)s: one job, many, or all that a filter matches.") % {"verb": name})
    verb.set_defaults(verb=name)
    verb.add_argument("jobs", type=int, nargs="*", metavar="ID")
    verb.add_argument("--reason", default="", help=_("Why; kept in the history of each job."))
    verb.add_argument("--expected-state", choices=list(JobState), help=_("Leave a job alone that is in another."))
    verb.add_argument(
        "--dry-run", "--preview", action="store_true", dest="dry_run", help=_("Only say what it would do.")
    )
    filters = verb.add_argument_group(_("filters, in place of ids: the workers do it, in a tracked bulk run"))
    filters.add_argument("--filter-state", action="append", choices=list(JobState), default=[])
    filters.add_argument("--filter-workflow", action="append", default=[], metavar="WORKFLOW")
    filters.add_argument("--incident", metavar="FINGERPRINT", default="", help=_("Jobs that failed in this way."))
    _add_found_by(filters)
    filters.add_argument("--limit", type=_read_number, help=_("Only the oldest so many."))
    stops = filters.add_mutually_exclusive_group()
    stops.add_argument("--stop-on", metavar="FINGERPRINT", default="", help=_("Stop when this failure comes back."))
    stops.add_argument("--stop-on-failure", action="store_true", help=_("Stop when one of the jobs fails again."))
    filters.add_argument("--wait", action="store_true", help=_("Follow it until it has ended."))
    for option in list_options(VERBS[name]):
        _add_option(verb, option)


def _add_found_by(parser: Any) -> None:
    parser.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=_("Jobs with this attribute; give it several times for jobs with all of them."),
    )
    parser.add_argument(
        "--subject", default="", metavar="MODEL:KEY", help=_("Jobs about this row of the project: shop.Order:17.")
    )


def _add_option(verb: CommandParser, option: Option) -> None:
    text = _(option.description) if option.description else ""
    shared: dict[str, Any] = {"dest": f"{OPTION_PREFIX}{option.name}", "required": option.is_required, "help": text}
    if option.kind is bool:
        verb.add_argument(_write_flag(option), action=argparse.BooleanOptionalAction, **shared)
    elif option.kind is int:
        verb.add_argument(_write_flag(option), type=int, metavar="N", **shared)
    elif option.kind is str:
        verb.add_argument(_write_flag(option), metavar="TEXT", **shared)
    else:
        verb.add_argument(_write_flag(option), metavar="JSON", **{**shared, "help": f"{text} {JSON_HELP}".strip()})


def _write_flag(option: Option) -> str:
    return f"--{option.name.replace('_', '-')}"


def _read_number(text: str) -> int:
    number = int(text)
    if not 0 < number <= LARGEST_NUMBER:
        raise argparse.ArgumentTypeError(
            _("%(number)s: use a number from 1 to %(most)s.") % {"number": number, "most": LARGEST_NUMBER}
        )
    return number


def _read_text(text: str) -> str:
    if not is_storable(text):
        sentence = _("%(text)s is not a text: it contains NUL, or bytes that are not UTF-8.")
        raise argparse.ArgumentTypeError(sentence % {"text": ascii(text[:100])})
    return text
