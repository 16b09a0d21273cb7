"""What ``manage.py check`` says about a project that uses django-wfe.

Only the check of the migrations connects to the database.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Info, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_wfe.checks.broker_settings import BROKER_HINT
from django_wfe.checks.migrations import check_migrations
from django_wfe.checks.running_command import is_check_asked_for
from django_wfe.checks.storage import check_storage
from django_wfe.checks.user_table import check_user_table
from django_wfe.conf import DATABASE, Settings, settings
from django_wfe.definition.problems import Problem
from django_wfe.discovery.modules import explain_emptiness, explain_failure, find_module_near_misses, list_workflows
from django_wfe.engine.access.policy import build_policy
from django_wfe.engine.delivery.dispatcher import build_dispatcher
from django_wfe.engine.isolation.job_context import build_job_context
from django_wfe.engine.project_code.classes import import_module
from django_wfe.engine.project_code.module_names import is_missing_module
from django_wfe.engine.project_code.recording import describe_workflow
from django_wfe.exceptions import CodeNotLoaded

TAG = "django_wfe"

_SLOW_MIDDLEWARE = "django_dramatiq.middleware.AdminMiddleware"
_CONNECTIONS_MIDDLEWARE = "django_dramatiq.middleware.DbConnectionsMiddleware"
_MOVED_MIDDLEWARE = "dramatiq.middleware.Prometheus"

AppConfigs = Sequence[AppConfig] | None


def register_checks() -> None:
    """Make the checks known to Django."""
    for check in (
        check_database,
        check_broker,
        check_dispatcher,
        check_policy,
        check_context,
        check_storage,
        check_settings,
        check_workflows,
        check_migrations,
    ):
        register(check, TAG)


def check_database(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Look at the database that ``WFE_DATABASE`` names and at the driver, without connecting."""
    try:
        connection = connections[DATABASE]
        vendor = connection.vendor
    except ImproperlyConfigured as error:
        return [Error(f'DATABASES["{DATABASE}"] cannot be used: {error}', hint=_DATABASE_HINT, id="wfe.E001")]
    if vendor != "postgresql":
        found = django_settings.DATABASES.get(DATABASE, {}).get("ENGINE", "nothing")
        return [
            Error(
                f'DATABASES["{DATABASE}"] is {vendor} ({found}); django-wfe needs PostgreSQL.',
                hint=_DATABASE_HINT,
                id="wfe.E001",
            )
        ]
    messages: list[CheckMessage] = []
    if connection.settings_dict.get("CONN_MAX_AGE") == 0 and not connection.settings_dict.get("OPTIONS", {}).get(
        "pool"
    ):
        messages.append(
            Info(
                f'DATABASES["{DATABASE}"] has CONN_MAX_AGE 0: workers open a new connection for each message.',
                hint='Write "CONN_MAX_AGE": 60 (seconds) and "CONN_HEALTH_CHECKS": True.',
                id="wfe.I001",
            )
        )
    return [*messages, *check_user_table()]


_DATABASE_HINT = f'Write "ENGINE": "django.db.backends.postgresql" in DATABASES["{DATABASE}"].'


def check_broker(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Look at ``DRAMATIQ_BROKER`` and its middleware."""
    messages: list[CheckMessage] = []
    if not apps.is_installed("django_dramatiq"):
        messages.append(
            Error(
                "django_dramatiq is not in INSTALLED_APPS, so no step would ever be sent to a worker.",
                hint='Add "django_dramatiq" to INSTALLED_APPS.',
                id="wfe.E003",
            )
        )
    broker = getattr(django_settings, "DRAMATIQ_BROKER", None)
    if not isinstance(broker, dict) or not broker.get("BROKER"):
        return [
            *messages,
            Error("DRAMATIQ_BROKER does not say which broker to use.", hint=BROKER_HINT, id="wfe.E002"),
        ]
    middleware = [_name_middleware(entry) for entry in broker.get("MIDDLEWARE", [])]
    if _SLOW_MIDDLEWARE in middleware:
        messages.append(
            Warning(
                f"DRAMATIQ_BROKER uses {_SLOW_MIDDLEWARE}: it writes to the database three times for each message, "
                "and can wait for open transactions.",
                hint=f'Take "{_SLOW_MIDDLEWARE}" out of MIDDLEWARE; the console shows more than its page.',
                id="wfe.W001",
            )
        )
    if _MOVED_MIDDLEWARE in middleware:
        messages.append(
            Warning(
                f"DRAMATIQ_BROKER names {_MOVED_MIDDLEWARE}, which dramatiq 2 has moved.",
                hint='Write "dramatiq.middleware.prometheus.Prometheus", or remove it.',
                id="wfe.W002",
            )
        )
    if _CONNECTIONS_MIDDLEWARE not in middleware:
        messages.append(
            Warning(
                f"DRAMATIQ_BROKER does not use {_CONNECTIONS_MIDDLEWARE}: workers keep database connections beyond "
                "CONN_MAX_AGE, and those that broke.",
                hint=f'Add "{_CONNECTIONS_MIDDLEWARE}" to MIDDLEWARE.',
                id="wfe.W011",
            )
        )
    return messages


def check_dispatcher(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Look at ``WFE_DISPATCHER``, if the project sets it, and ask the dispatcher itself."""
    if not hasattr(django_settings, "WFE_DISPATCHER"):
        return []
    try:
        return list(build_dispatcher().check())
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=_DISPATCHER_HINT, id="wfe.E008")]


def check_context(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Look at ``WFE_CONTEXT``, if the project sets it, and ask the class itself."""
    try:
        context = build_job_context()
        return list(context.check()) if context is not None else []
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=_CONTEXT_HINT, id="wfe.E010")]


def check_policy(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Look at ``WFE_POLICY``, if the project sets it, and ask the policy itself."""
    try:
        policy = build_policy()
        return list(policy.check()) if policy is not None else []
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=_POLICY_HINT, id="wfe.E009")]


_CONTEXT_HINT = 'Write WFE_CONTEXT = "shop.tenants.TenantContext"; see docs/extending.md.'
_POLICY_HINT = (
    "Set it to the dotted path of a subclass of django_wfe.policies.Policy, or remove it: permissions and groups then "
    "decide alone."
)
_DISPATCHER_HINT = (
    "Set it to the dotted path of a subclass of django_wfe.dispatchers.Dispatcher, or remove it: messages then go over "
    "Dramatiq."
)


def check_settings(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Read every ``WFE_*`` setting once."""
    messages: list[CheckMessage] = []
    for name, _ in inspect.getmembers(Settings, lambda member: isinstance(member, property)):
        try:
            getattr(settings, name)
        except ImproperlyConfigured as error:
            messages.append(Error(str(error), hint="Correct it, or leave it out for its default.", id="wfe.E007"))
    if settings.log_dir and not _can_write(settings.log_dir):
        messages.append(
            Warning(
                f"WFE_LOG_DIR = {settings.log_dir!r}: no log can be written there by the user that runs this.",
                hint="Name a folder in which the workers may write; the console has the logs anyway.",
                id="wfe.W013",
            )
        )
    return messages


def _can_write(folder: str) -> bool:
    """Return whether files can be made in a folder that is made where it is not there."""
    there = os.path.abspath(folder)
    while not os.path.exists(there):
        there = os.path.dirname(there)
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def check_workflows(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Import the modules of ``WFE_WORKFLOWS`` and look for what keeps their Workflows from running."""
    try:
        modules = settings.workflows
    except ImproperlyConfigured:
        return []  # check_settings has said it
    if not modules:
        return [
            Error(
                "WFE_WORKFLOWS is not set, so there is no workflow to run.",
                hint='Write WFE_WORKFLOWS = "yourproject.workflows", the module that defines or imports them.',
                id="wfe.E004",
            )
        ]
    messages: dict[str, CheckMessage] = {}
    for module in modules:
        for message in _check_module(module):
            messages.setdefault(f"{message.id} {message.msg}", message)
    return list(messages.values())


def _check_module(name: str) -> Iterator[CheckMessage]:
    try:
        module = import_module(name)
    except CodeNotLoaded as error:
        yield _judge(
            f"WFE_WORKFLOWS: {explain_failure(name, error)}",
            hint="Mend the file, or correct the path. Running workers go on with what they have loaded.",
            number="005",
            # No file to mend, but a setting.
            is_error=is_missing_module(name, error),
        )
        return
    workflows = list_workflows(module)
    if not workflows:
        yield _judge(
            f"WFE_WORKFLOWS: {name} names no Workflow with a DIGRAPH.", hint=explain_emptiness(name), number="006"
        )
    for workflow in workflows:
        for problem in describe_workflow(workflow).problems:
            yield _judge(_say_problem(problem), hint=problem.cure, number="008")
    for near_miss in find_module_near_misses(module):
        yield Warning(_say_problem(near_miss), hint=near_miss.cure, id="wfe.W010")


def _say_problem(problem: Problem) -> str:
    place = f"{problem.workflow}, node {problem.node}" if problem.node else problem.workflow
    return f"{place}: {problem.message}"


def _judge(text: str, *, hint: str, number: str, is_error: bool = False) -> CheckMessage:
    """Return an error for who asks what is wrong; a warning for a command that has other work to do.

    One broken file would keep the web server and the workers from starting, and with them every other workflow.
    """
    if is_error or is_check_asked_for():
        return Error(text, hint=hint, id=f"wfe.E{number}")
    return Warning(text, hint=f"{hint} No new job of it starts until then.", id=f"wfe.W{number}")


def _name_middleware(entry: object) -> str:
    return entry if isinstance(entry, str) else f"{type(entry).__module__}.{type(entry).__qualname__}"
