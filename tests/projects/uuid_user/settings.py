from tests.projects.base import *  # noqa: F403
from tests.projects.base import INSTALLED_APPS

INSTALLED_APPS = ["tests.projects.uuid_user.apps.PeopleConfig", *INSTALLED_APPS]
AUTH_USER_MODEL = "people.Person"
