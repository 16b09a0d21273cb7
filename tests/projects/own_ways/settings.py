from tests.projects.base import *  # noqa: F403
from tests.projects.base import DATABASES, INSTALLED_APPS, MIDDLEWARE, TEMPLATES

FORCE_SCRIPT_NAME = "/shop"
STATIC_URL = "/static/"  # not below the prefix
USE_I18N = False
TIME_ZONE = "America/Santiago"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES["default"] |= {"ATOMIC_REQUESTS": True, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False}
SILENCED_SYSTEM_CHECKS = ["wfe.I001"]  # that a connection for each message is slow
INSTALLED_APPS = [
    "tests.projects.own_ways.site.OfficeConfig",
    *(app for app in INSTALLED_APPS if app not in ("django.contrib.admin", "import_export", "django_htmx")),
]
MIDDLEWARE = [entry for entry in MIDDLEWARE if "locale" not in entry and "htmx" not in entry]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                ("django.template.loaders.cached.Loader", ["django.template.loaders.app_directories.Loader"]),
            ],
            "context_processors": TEMPLATES[0]["OPTIONS"]["context_processors"],
            "string_if_invalid": "(missing: %s)",
        },
    }
]
