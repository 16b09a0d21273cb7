"""Settings of the test suite: always PostgreSQL; a broker in memory unless ``WFE_TEST_BROKER_URL`` names a real one.

Environment variables (all optional):

``WFE_TEST_DATABASE_HOST``, ``_PORT``, ``_USER``, ``_PASSWORD``
    The PostgreSQL server. ``tests/conftest.py`` sets the host to an embedded server where none answers.
``WFE_TEST_EMBEDDED``
    ``1`` to start embedded servers, whatever else answers on this machine.
``WFE_TEST_DATABASE_NAME``
    The database that a child process of a test must use (see the ``child_environment`` fixture).
``WFE_TEST_BROKER_URL``
    ``amqp://...``, ``redis://...`` or ``unix://...``: the real broker that a child process of a test must use.
``WFE_TEST_BROKER_NAMESPACE``
    Prefix of the keys in Redis, so that test runs at the same time do not take each other's messages.
``WFE_TEST_WORKFLOWS``
    The workflows module, ``tests.workflows`` by default.
"""

import json
import os
from typing import Any

from tests.support.running.servers import DEFAULT_DATABASE_HOST, DEFAULT_DATABASE_PORT

_IS_XDIST_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# Runs of several people share one server: the controller's pid keeps their databases apart.
_TEST_RUN = os.getppid() if _IS_XDIST_WORKER else os.getpid()


def _choose_broker(url: str, namespace: str) -> dict[str, Any]:
    middleware = [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ]
    if not url:
        return {"BROKER": "dramatiq.brokers.stub.StubBroker", "OPTIONS": {}, "MIDDLEWARE": middleware}
    if url.startswith("amqp"):
        return {
            "BROKER": "dramatiq.brokers.rabbitmq.RabbitmqBroker",
            "OPTIONS": {"url": url},
            "MIDDLEWARE": middleware,
        }
    return {
        "BROKER": "dramatiq.brokers.redis.RedisBroker",
        "OPTIONS": {"url": url, "namespace": namespace, "heartbeat_timeout": 15_000, "maintenance_chance": 100_000},
        "MIDDLEWARE": middleware,
    }


SECRET_KEY = "only-for-tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "import_export",
    "django_htmx",
    "rest_framework",
    "django_dramatiq",
    "django_wfe",
    "django_wfe.demo.shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "tests.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("WFE_TEST_DATABASE_NAME", "postgres"),
        "HOST": os.environ.get("WFE_TEST_DATABASE_HOST", DEFAULT_DATABASE_HOST),
        "PORT": os.environ.get("WFE_TEST_DATABASE_PORT", str(DEFAULT_DATABASE_PORT)),
        "USER": os.environ.get("WFE_TEST_DATABASE_USER", "postgres"),
        "PASSWORD": os.environ.get("WFE_TEST_DATABASE_PASSWORD", ""),
        "TEST": {"NAME": f"test_wfe_{_TEST_RUN}"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"

DRAMATIQ_BROKER = _choose_broker(
    os.environ.get("WFE_TEST_BROKER_URL", ""),
    os.environ.get("WFE_TEST_BROKER_NAMESPACE", f"wfe-test-{_TEST_RUN}"),
)

WFE_WORKFLOWS = os.environ.get("WFE_TEST_WORKFLOWS", "tests.workflows")
WFE_QUEUE = os.environ.get("WFE_TEST_QUEUE", f"wfe_{_TEST_RUN}")

# What one test wants otherwise in its child processes, as JSON: {"WFE_WORKER_TIMEOUT": 2}.
globals().update(json.loads(os.environ.get("WFE_TEST_SETTINGS", "{}")))
