"""Write docs/reference.md from the code: every public name with its signature and what its docstring says first.

Run it as ``make reference``. A test compares the page with what this would write.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import django
from django.db.models import Model

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference.md"

MODULES = {
    "django_wfe": "the names that most projects need",
    "django_wfe.steps": "what a workflow is made of",
    "django_wfe.workflows": "what a project declares",
    "django_wfe.retry": "when a failed step is tried again",
    "django_wfe.lifecycle": "what code can do with Jobs and Workflows",
    "django_wfe.verbs": "verbs of a project's own",
    "django_wfe.kinds": "kinds of nodes of a project's own",
    "django_wfe.panels": "sections of a project's own on the page of a Job",
    "django_wfe.policies": "what users see and do, Job by Job",
    "django_wfe.contexts": "what surrounds the code of Jobs",
    "django_wfe.inlines": "the Jobs of a row, on its page in your admin",
    "django_wfe.dispatchers": "how messages get to the workers",
    "django_wfe.models": "the tables, for reading",
    "django_wfe.states": "the states of Jobs and step runs",
    "django_wfe.signals": "what is sent after a commit",
    "django_wfe.exceptions": "every exception that is raised",
    "django_wfe.admin": "the console, for a site of your own",
    "django_wfe.forms": "pydantic models as Django forms",
    "django_wfe.testing": "helpers for a project's tests",
}

INTRODUCTION = """# Reference

Every public name. What is listed here keeps its meaning until the next major version: [what that
promises](#what-is-public). The page is written by `make reference` from the code.
"""

POLICY = """## What is public

The names on this page, the settings in the [README](../README.md#settings), the commands, the REST API as its OpenAPI
description has it, the permissions, and the columns of the models for reading. All else is private, whatever its name
looks like: modules below `django_wfe.engine` and the other rooms may change in any release.

A public name that is to go is deprecated first: it goes on working for at least one minor version and six months,
warns with `DeprecationWarning` where it is used, and is listed in the [changelog](../CHANGELOG.md) with what to use in
its place. It goes in a major version. Names that projects written for 1.x import keep working through all of 2.x.
"""


def write_page() -> str:
    """Return the page as it has to be."""
    parts = [INTRODUCTION]
    for module_name, purpose in MODULES.items():
        module = importlib.import_module(module_name)
        parts.append(f"## `{module_name}`: {purpose}\n")
        for name in sorted(module.__all__, key=str.lower):
            if name != "__version__":
                parts.append(describe(module_name, name, getattr(module, name)))
    return "\n".join([*parts, POLICY])


def describe(module: str, name: str, value: Any) -> str:
    """Return the entry of one name."""
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return entry(f"class {name}", value) + "\n" + ", ".join(f"`{member.name}`" for member in value) + "\n"
    if isinstance(value, type):
        shown = "" if issubclass(value, (Model, BaseException)) else sign(value)
        return entry(f"class {name}{shown}", value)
    if callable(value):
        return entry(f"{name}{sign(value)}", value)
    return f"### `{name}`\n\n{read_note(module, name)}\n"


def entry(heading: str, value: Any) -> str:
    """Return a heading and the first paragraph of a docstring."""
    text = inspect.cleandoc(value.__doc__ or "").split("\n\n")[0]
    return f"### `{heading}`\n\n{' '.join(text.split()).replace('``', '`')}\n"


def sign(value: Any) -> str:
    """Return the names and defaults of the parameters; what has no readable default is shown as "...".

    Annotations are left out: the source has them, and they make the lines long.
    """
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    shown = [p if is_readable(p.default) else p.replace(default=...) for p in plain if p.name != "self"]
    return re.sub(r"Ellipsis", "...", str(inspect.Signature(shown)))


def is_readable(default: Any) -> bool:
    """Return whether a default is shown as somebody would write it."""
    return default is inspect.Parameter.empty or default is None or type(default) in (bool, int, float, str)


def read_note(module: str, name: str) -> str:
    """Return the text that stands below an assignment, or ""."""
    source = inspect.getsource(importlib.import_module(module))
    match = re.search(rf'^{name}\b[^\n]*\n"""(.*?)"""', source, re.MULTILINE | re.DOTALL)
    return " ".join(match[1].split()).replace("``", "`") if match else ""


if __name__ == "__main__":
    django.setup()
    PAGE.write_text(write_page())
