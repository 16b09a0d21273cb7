from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "tests.projects.uuid_user"
    label = "people"
    default_auto_field = "django.db.models.BigAutoField"
