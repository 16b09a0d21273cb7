"""The app ``shop`` of docs/extending.md, installed for a test: its table, its verbs, and their addresses."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import dramatiq
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import modify_settings
from django.urls import clear_url_caches

import django_wfe.api.urls
import django_wfe.urls
import tests.urls
from django_wfe.engine.operations.verbs.registry import list_names
from django_wfe.models import Job
from django_wfe.verbs import unregister
from tests.support.documents.distribution import ROOT
from tests.support.documents.readme_blocks import read_blocks

EXTENDING = ROOT / "docs" / "extending.md"
SECTION = "A verb of your own"
APP = "shop"


def write_shop(folder: Path, section: str = SECTION) -> None:
    """Write the files that the first section and another one show."""
    (folder / APP).mkdir()
    (folder / APP / "__init__.py").touch()
    for block in read_blocks(EXTENDING):
        name, _colon, how = block.text.partition("\n")[0].strip("{}# ").partition(": ")
        if block.section in (SECTION, section) and how == "a new file":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(block.text)


@contextmanager
def installed_shop(folder: Path, section: str = SECTION) -> Iterator[ModuleType]:
    """Install the app in a project that runs already; ``folder`` must be among the places of modules."""
    write_shop(folder, section)
    before, broker = set(list_names()), dramatiq.get_broker()
    try:
        with modify_settings(INSTALLED_APPS={"append": APP}):
            models = importlib.import_module(f"{APP}.models")
            with connection.schema_editor() as editor:
                editor.create_model(models.Order)
            rebuild_addresses()
            yield models
    finally:
        for name in set(list_names()) - before:
            unregister(name)
        _forget_models()
        for name in [name for name in sys.modules if name.partition(".")[0] == APP]:
            del sys.modules[name]
        rebuild_addresses()
        # Django makes all apps ready anew, and django_dramatiq then sets a broker that has none of the queues.
        dramatiq.set_broker(broker)


def rebuild_addresses() -> None:
    """Have the project's addresses made anew, as they are when a process starts."""
    for module in (django_wfe.api.urls, django_wfe.urls, tests.urls):
        importlib.reload(module)
    clear_url_caches()


def _forget_models() -> None:
    apps.all_models.pop(APP, None)
    if hasattr(Job, "order"):
        del Job.order
    apps.clear_cache()
    ContentType.objects.clear_cache()
