"""Reads definitions in a process of its own, and reports them line by line over a pipe.

    python -m django_wfe.discovery.child PIPE PARENT_PID MODULE [MODULE ...]

``PIPE`` is the number of an inherited file descriptor. Each line is a JSON object: ``{"ready": true}`` once Django is
set up, ``{"begin": MODULE}`` before a module is imported, then what it gave, and ``{"done": true}``; ``{"file": PATH}``
before any file of the project is run. What modules print goes elsewhere, and a module that ends the process is the one
that was begun last.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import resource
import signal
import sys
from typing import Any

import django
from django.utils import translation

from django_wfe.discovery.files import FreshSourceFinder

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Read the modules as the docstring of this module says, then end the process."""
    pipe, parent_pid, *names = arguments
    _end_with_parent(int(parent_pid))
    # The parent asks with SIGABRT where a slow module hangs: that must tell the place, and leave no core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(all_threads=False)
    descriptor = int(pipe)
    sys.meta_path.insert(0, FreshSourceFinder(lambda path: _report(descriptor, {"file": path})))
    try:
        django.setup()
    except BaseException as error:  # noqa: BLE001, RUF100  (whatever it is, the parent is to hear of it)
        from django_wfe.engine.project_code.classes import explain_import_error

        _report(descriptor, {"failed": f"Django cannot be set up: {explain_import_error(error)}"})
        _finish()
    _report(descriptor, {"ready": True})
    for name in names:
        _report(descriptor, {"begin": name})
        _report(descriptor, read(name))
    _report(descriptor, {"done": True})
    _finish()


def read(name: str) -> dict[str, Any]:
    """Import a module and describe what it declares, whatever happens meanwhile."""
    from django_wfe.discovery import modules
    from django_wfe.engine.project_code.classes import explain_import_error, import_module
    from django_wfe.engine.project_code.recording import describe_workflow
    from django_wfe.exceptions import CodeNotLoaded

    workflows: list[dict[str, Any]] = []
    warnings: list[str] = []
    files: set[str] = set()
    text = ""
    try:
        module = import_module(name)
        workflows = [describe_workflow(workflow).to_json() for workflow in modules.list_workflows(module)]
        json.dumps(workflows)
        warnings = modules.list_warnings(module)
    except CodeNotLoaded as error:
        with translation.override(None):  # rows hold no translations
            text = modules.explain_failure(name, error)
        files = modules.list_failed_files(error)
    except BaseException as error:  # noqa: BLE001, RUF100  (a definition may raise anything at all)
        workflows, text = [], f"{name} cannot be read: {explain_import_error(error)}"
        files = modules.list_failed_files(error)
    files |= modules.list_watched_files([name])
    return {"module": name, "workflows": workflows, "error": text, "warnings": warnings, "files": sorted(files)}


def _end_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when the one that started it dies. Only Linux can."""
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        _finish()


def _report(descriptor: int, message: dict[str, Any]) -> None:
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


def _finish() -> None:
    # Threads and exit handlers that the modules have left must not hold it up.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
