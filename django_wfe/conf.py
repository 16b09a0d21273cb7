"""Every setting of django-wfe, read from Django's settings."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS

STORAGE_ALIAS = "django_wfe"
_QUEUE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]*")


class Settings:
    """The ``WFE_*`` settings, typed. An attribute raises ImproperlyConfigured where the value is of the wrong kind.

    Those that a step run asks for are read once, and anew when Django tells that a setting was changed.
    """

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        setting_changed.connect(self._forget)

    @property
    def workflows(self) -> tuple[str, ...]:
        """``WFE_WORKFLOWS``: a dotted module path, or an iterable of them. Default: none."""
        value = getattr(django_settings, "WFE_WORKFLOWS", ())
        modules = (value,) if isinstance(value, str) else value
        if not isinstance(modules, Iterable) or isinstance(modules, bytes):
            raise ImproperlyConfigured(
                f"WFE_WORKFLOWS = {value!r}: give a dotted module path, or a list of them{_hint(value)}."
            )
        modules = tuple(modules)
        for module in modules:
            if not isinstance(module, str) or not module:
                raise ImproperlyConfigured(f"WFE_WORKFLOWS holds {module!r}: give dotted module paths{_hint(module)}.")
        return modules

    @property
    def database(self) -> str:
        """``WFE_DATABASE``: the alias, in ``DATABASES``, of the database that holds the jobs. Default "default"."""
        value = getattr(django_settings, "WFE_DATABASE", DEFAULT_DB_ALIAS)
        if not isinstance(value, str) or value not in django_settings.DATABASES:
            known = ", ".join(map(repr, django_settings.DATABASES))
            raise ImproperlyConfigured(f"WFE_DATABASE = {value!r}: give one of the aliases in DATABASES: {known}.")
        return value

    @property
    def watchdog_interval(self) -> float:
        """``WFE_WATCHDOG_INTERVAL``: seconds between looks at the definitions. Default 5; zero or less: off."""
        return self._read_number("WFE_WATCHDOG_INTERVAL", 5.0)

    @property
    def discovery_timeout(self) -> float:
        """``WFE_DISCOVERY_TIMEOUT``: seconds that one module of ``WFE_WORKFLOWS`` may take to import. Default 60."""
        return self._read_number("WFE_DISCOVERY_TIMEOUT", 60.0, above=0)

    @property
    def recovery_interval(self) -> float:
        """``WFE_RECOVERY_INTERVAL``: seconds between sweeps for lost runs and messages. Default 5."""
        return self._read_number("WFE_RECOVERY_INTERVAL", 5.0, above=0)

    @property
    def worker_timeout(self) -> float:
        """``WFE_WORKER_TIMEOUT``: seconds after which a silent worker counts as dead. Default 30."""
        return self._read_number("WFE_WORKER_TIMEOUT", 30.0, above=0)

    @property
    def redispatch_after(self) -> float:
        """``WFE_REDISPATCH_AFTER``: seconds after which an unclaimed step run's message is sent again. Default 10.

        It doubles with each message sent for the same step run, up to 16 times this value.
        """
        return self._read_number("WFE_REDISPATCH_AFTER", 10.0, above=0)

    @property
    def max_lost_runs(self) -> int:
        """``WFE_MAX_LOST_RUNS``: how many workers one node of a Job may lose before the Job fails. Default 3."""
        return int(self._read_number("WFE_MAX_LOST_RUNS", 3, above=0))

    @property
    def max_steps_per_job(self) -> int:
        """``WFE_MAX_STEPS_PER_JOB``: how many steps one Job may take, loops included. Default 100,000."""
        return int(self._read_number("WFE_MAX_STEPS_PER_JOB", 100_000, above=0))

    @property
    def max_result_bytes(self) -> int:
        """``WFE_MAX_RESULT_BYTES``: the largest result or input, as JSON, in bytes. Default 1 MiB."""
        return int(self._read_number("WFE_MAX_RESULT_BYTES", 1_048_576, above=0))

    @property
    def storage(self) -> str:
        """``WFE_STORAGE``: the alias, in ``STORAGES``, of the storage of large values.

        Default: "django_wfe" if ``STORAGES`` has it, else "": all values are in the database.
        """
        alias = self._known.get("WFE_STORAGE")
        if alias is None:
            chosen: Any = getattr(django_settings, "WFE_STORAGE", None)
            if chosen is not None and (not isinstance(chosen, str) or (chosen and chosen not in storages.backends)):
                known = ", ".join(map(repr, storages.backends))
                raise ImproperlyConfigured(f"WFE_STORAGE = {chosen!r}: give one of the aliases in STORAGES: {known}.")
            if chosen is None:
                chosen = STORAGE_ALIAS if STORAGE_ALIAS in storages.backends else ""
            alias = self._known["WFE_STORAGE"] = chosen
        return str(alias)

    @property
    def inline_bytes(self) -> int:
        """``WFE_INLINE_BYTES``: the largest value, as JSON, that stays in the database, in bytes. Default 64 KiB."""
        return int(self._read_number("WFE_INLINE_BYTES", 65_536, above=0))

    @property
    def max_large_bytes(self) -> int:
        """``WFE_MAX_LARGE_BYTES``: the largest value if there is a storage for large ones, in bytes. Default 64 MiB.

        ``WFE_MAX_RESULT_BYTES`` holds if there is none.
        """
        return int(self._read_number("WFE_MAX_LARGE_BYTES", 67_108_864, above=0))

    def find_limit_of_values(self) -> tuple[str, int]:
        """Return the setting that limits results and inputs here, and the most bytes that it allows."""
        if self.storage:
            return "WFE_MAX_LARGE_BYTES", self.max_large_bytes
        return "WFE_MAX_RESULT_BYTES", self.max_result_bytes

    @property
    def max_json_values(self) -> int:
        """``WFE_MAX_JSON_VALUES``: how many values, at all depths, JSON may hold that is sent here. Default 50,000."""
        return int(self._read_number("WFE_MAX_JSON_VALUES", 50_000, above=0))

    @property
    def max_answer_bytes(self) -> int:
        """``WFE_MAX_ANSWER_BYTES``: the most of inputs, results and logs in one answer, in bytes. Default 4 MiB.

        What is over it is cut, with a mark and its size, on pages and in lists; each has an address that has it whole.
        """
        return int(self._read_number("WFE_MAX_ANSWER_BYTES", 4_194_304, above=0))

    @property
    def max_log_bytes(self) -> int:
        """``WFE_MAX_LOG_BYTES``: how much of one step run's output is kept, in bytes. Default 1 MiB."""
        return int(self._read_number("WFE_MAX_LOG_BYTES", 1_048_576, above=0))

    @property
    def slice_seconds(self) -> float:
        """``WFE_SLICE_SECONDS``: how long a worker stays with one Job before others get their turn. Default 5."""
        return self._read_number("WFE_SLICE_SECONDS", 5.0, above=0)

    @property
    def queue(self) -> str:
        """``WFE_QUEUE``: the Dramatiq queue of the engine's messages. Default "wfe_<database>", with its name.

        So two projects can share a broker; what Dramatiq allows in no name of a queue becomes an underscore.
        """
        chosen: Any = getattr(django_settings, "WFE_QUEUE", None)
        if chosen is None:
            name = str(django_settings.DATABASES.get(DATABASE, {}).get("NAME") or "")
            return f"wfe_{re.sub('[^a-zA-Z0-9_-]', '_', name)}" if name else "wfe"
        if not isinstance(chosen, str) or not _QUEUE_NAME.fullmatch(chosen):
            raise ImproperlyConfigured(
                f"WFE_QUEUE = {chosen!r}: give a text of letters, digits and . _ - that begins with a letter or _."
            )
        return chosen

    @property
    def dispatcher(self) -> str:
        """``WFE_DISPATCHER``: the class that sends messages to workers. Default: Dramatiq's, with ``WFE_QUEUE``."""
        chosen: Any = getattr(django_settings, "WFE_DISPATCHER", "django_wfe.dispatchers.DramatiqDispatcher")
        if not isinstance(chosen, str):
            raise ImproperlyConfigured(f"WFE_DISPATCHER = {chosen!r}: give the dotted path of a class.")
        return chosen

    @property
    def policy(self) -> str:
        """``WFE_POLICY``: the class that is asked what users may see and do, Job by Job. Default "": none."""
        chosen: Any = getattr(django_settings, "WFE_POLICY", "")
        if not isinstance(chosen, str):
            raise ImproperlyConfigured(f"WFE_POLICY = {chosen!r}: give the dotted path of a class.")
        return chosen

    @property
    def context(self) -> str:
        """``WFE_CONTEXT``: the class that captures what surrounds a start, and enters it again. Default "": none."""
        chosen = self._known.get("WFE_CONTEXT")
        if chosen is None:
            chosen = getattr(django_settings, "WFE_CONTEXT", "")
            if not isinstance(chosen, str):
                raise ImproperlyConfigured(f"WFE_CONTEXT = {chosen!r}: give the dotted path of a class.")
            self._known["WFE_CONTEXT"] = chosen
        return str(chosen)

    @property
    def log_dir(self) -> str:
        """``WFE_LOG_DIR``: a folder where each Job's log is also written as a file. Default "": none."""
        folder = self._known.get("WFE_LOG_DIR")
        if folder is None:
            folder = self._known["WFE_LOG_DIR"] = str(getattr(django_settings, "WFE_LOG_DIR", "") or "")
        return str(folder)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """``WFE_SECRET_KEYS``: the keys of secrets, each from ``Fernet.generate_key()``. Default (): ``SECRET_KEY``.

        The first encrypts, all decrypt. What is wrong with a key is told by its place, never by its value.
        """
        keys: Any = getattr(django_settings, "WFE_SECRET_KEYS", ())
        if not isinstance(keys, (list, tuple)):
            raise ImproperlyConfigured(f"WFE_SECRET_KEYS is a {type(keys).__name__}: give a list of keys.")
        for place, key in enumerate(keys, start=1):
            if not _is_secret_key(key):
                raise ImproperlyConfigured(
                    f"WFE_SECRET_KEYS: number {place} is not a key. Give 32 bytes as URL-safe base64, as "
                    '"from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())" prints them.'
                )
        return tuple(keys)

    def _forget(self, **kwargs: Any) -> None:
        self._known.clear()

    def _read_number(self, name: str, default: float, *, above: float | None = None) -> float:
        known: float | None = self._known.get(name)
        if known is not None:
            return known
        value: Any = getattr(django_settings, name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (above is not None and value <= above):
            bound = "" if above is None else f" above {above}"
            raise ImproperlyConfigured(f"{name} = {value!r}: give a number{bound}.")
        self._known[name] = value
        return value


def _is_secret_key(key: object) -> bool:
    try:
        return isinstance(key, str) and len(base64.urlsafe_b64decode(key.encode())) == 32
    except ValueError:
        return False


def _hint(value: object) -> str:
    """Return what to write in place of a module or class itself."""
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__ if isinstance(value, type) else ""
    return f', such as "{module}"' if module else ""


def _read_database() -> str:
    try:
        return settings.database
    except ImproperlyConfigured:
        return DEFAULT_DB_ALIAS  # the system check says what is wrong


settings = Settings()

DATABASE = _read_database()
"""The alias of the database that holds the jobs, as it was when Django was set up."""
