"""Names the machine and the versions as a reader would: what decides about figures, and nothing that identifies it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks import dbos_environment
from benchmarks.database import Parameters, execute
from django_wfe.version import __version__


def describe_machine() -> dict[str, str | int]:
    """Give the model of the CPU, the cores this process may use, the memory in GiB, and the system."""
    return {
        "cpu": _read_value("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int((_read_value("/proc/meminfo", "MemTotal") or "0").split()[0]) / 1024**2),
        "system": f"{platform.system()} {platform.machine()}",
    }


def describe_versions(server: Parameters, *, with_dbos: bool, broker_url: str | None) -> dict[str, str]:
    """Give the versions of what takes part."""
    ((postgresql,),) = execute(server, "SHOW server_version")
    versions = {"Python": platform.python_version(), "PostgreSQL": postgresql, "django-wfe": __version__}
    versions |= {name: version(name) for name in ("Django", "dramatiq", "psycopg2-binary")}
    if with_dbos:
        versions["dbos"] = dbos_environment.read_version()
    if broker_url is not None:
        versions["RabbitMQ"] = _read_rabbitmq_version(broker_url)
    return versions


def _read_rabbitmq_version(url: str) -> str:
    import pika  # type: ignore[import-untyped]

    connection = pika.BlockingConnection(pika.URLParameters(url))
    properties = connection._impl.server_properties
    connection.close()
    found = properties.get("version", "")
    return found.decode() if isinstance(found, bytes) else str(found)


def _read_value(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
