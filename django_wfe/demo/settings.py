"""Django's settings for the demo. What differs between two demos comes from environment variables that it sets itself:

``WFE_DEMO_DIRECTORY``
    Where the demo keeps its secret key.
``WFE_DEMO_DATABASE``
    The folder of PostgreSQL's socket.
``WFE_DEMO_BROKER``
    The URL of the broker.
"""

import os
from pathlib import Path
from typing import Any

from django.core.management.utils import get_random_secret_key


def _read_secret_key() -> str:
    directory = os.environ.get("WFE_DEMO_DIRECTORY")
    if directory is None:
        return get_random_secret_key()
    return (Path(directory) / "secret-key").read_text(encoding="ascii").strip()


SECRET_KEY = _read_secret_key()
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

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
    "django_wfe.demo.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "django_wfe.demo.urls"
WSGI_APPLICATION = "django_wfe.demo.wsgi.application"

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
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": os.environ.get("WFE_DEMO_DATABASE", ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {
        "url": os.environ.get("WFE_DEMO_BROKER", "unix:///nowhere"),
        # Messages of a killed worker come back after 15 s; the defaults take minutes.
        "heartbeat_timeout": 15_000,
        "maintenance_chance": 100_000,
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

WFE_WORKFLOWS = "django_wfe.demo.workflows"
# Who kills a worker to see what happens looks at the page meanwhile.
WFE_WORKER_TIMEOUT = 15

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
STATIC_URL = "/static/"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if "WFE_DEMO_DIRECTORY" in os.environ:
    # Results and inputs of more than 64 KiB, such as those of a file that is taken in.
    STORAGES["django_wfe"] = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(Path(os.environ["WFE_DEMO_DIRECTORY"]) / "large-values")},
    }
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    # Without DEBUG Django's own handlers only write mails: the traceback of a broken page belongs in the log file.
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
