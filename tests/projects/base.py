"""Settings of an ordinary project, for others to begin with: ``from tests.projects.base import *``.

``WFE_PROJECT_DATABASES``
    The databases of this run, as JSON: their names by alias.
``WFE_PROJECT_BROKER_URL``, ``WFE_PROJECT_BROKER_NAMESPACE``
    A Redis, and the prefix of this run's keys in it.
"""

import json
import os
from typing import Any

from tests.support.running.servers import DEFAULT_DATABASE_HOST, DEFAULT_DATABASE_PORT


def build_database(name: str, **changes: Any) -> dict[str, Any]:
    """Give an entry of ``DATABASES``."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "HOST": os.environ.get("WFE_TEST_DATABASE_HOST", DEFAULT_DATABASE_HOST),
        "PORT": os.environ.get("WFE_TEST_DATABASE_PORT", str(DEFAULT_DATABASE_PORT)),
        "USER": os.environ.get("WFE_TEST_DATABASE_USER", "postgres"),
        "PASSWORD": os.environ.get("WFE_TEST_DATABASE_PASSWORD", ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        **changes,
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
]
MIDDLEWARE = [
    "django_wfe.demo.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "tests.projects.urls"
TEMPLATES: list[dict[str, Any]] = [
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
    alias: build_database(name)
    for alias, name in json.loads(os.environ.get("WFE_PROJECT_DATABASES", '{"default": "postgres"}')).items()
}
# A page that fails says why in the server's log.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR"}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ]
}
DRAMATIQ_BROKER: dict[str, Any] = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {
        "url": os.environ.get("WFE_PROJECT_BROKER_URL", "redis://127.0.0.1:6379/0"),
        "namespace": os.environ.get("WFE_PROJECT_BROKER_NAMESPACE", "wfe-project"),
    },
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}
WFE_WORKFLOWS: Any = "tests.projects.workflows"
