from tests.projects.base import *  # noqa: F403
from tests.projects.base import DATABASES, INSTALLED_APPS

INSTALLED_APPS = ["tests.projects.own_schema.apps.StaffConfig", *INSTALLED_APPS]
AUTH_USER_MODEL = "staff.Clerk"
LANGUAGE_CODE = "de"
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "Europe/Berlin"
DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=shop"}
