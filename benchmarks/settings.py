"""Django's settings for the measured processes. What differs between them comes by environment variables.

``WFE_BENCH_DATABASE``
    psycopg2's connection parameters as JSON.
``WFE_BENCH_BROKER_URL``
    RabbitMQ's URL; without it, a broker in memory.
``WFE_BENCH_QUEUE``
    The queue of this run.
"""

import json
import os

_database = json.loads(os.environ["WFE_BENCH_DATABASE"])
_broker_url = os.environ.get("WFE_BENCH_BROKER_URL", "")

SECRET_KEY = "only-for-benchmarks"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_dramatiq",
    "django_wfe",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database["dbname"],
        "HOST": _database["host"],
        "PORT": _database["port"],
        "USER": _database["user"],
        "PASSWORD": _database["password"],
        "CONN_MAX_AGE": 600,
    }
}
DRAMATIQ_BROKER = {
    "BROKER": f"dramatiq.brokers.{'rabbitmq.RabbitmqBroker' if _broker_url else 'stub.StubBroker'}",
    "OPTIONS": {"url": _broker_url} if _broker_url else {},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Pipelines",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}
WFE_WORKFLOWS = "benchmarks.workflows"
WFE_QUEUE = os.environ.get("WFE_BENCH_QUEUE", "wfe_benchmark")
