"""The name of a permission for people: the one that the admin lists, where it is given to users and groups."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model

from django_wfe.values.sentences import gettext as _

START_JOBS = "django_wfe.add_job"
"""What starting a Job asks for."""

EQUIVALENTS = {START_JOBS: ("django_wfe.run_workflow",)}
"""What may be held in the place of a permission. Asking for the permission asks for these as well."""


def list_sufficient(permission: str) -> tuple[str, ...]:
    """Return the permissions of which any one suffices where this one is asked for, itself first."""
    return (permission, *EQUIVALENTS.get(permission, ()))


def name_permission(permission: str) -> str:
    """Return the name of a permission such as ``"django_wfe.cancel_job"``: "Can cancel a job".

    Where another would do as well, it is named too; a sentence puts the whole in quotation marks. Of one that no model
    declares, the permission itself. Names are not translated, since the admin lists them so.
    """
    named, *others = (_find_name(sufficient) for sufficient in list_sufficient(permission))
    for other in others:
        named = _("%(one)s” or “%(other)s") % {"one": named, "other": other}
    return named


def say_permission_needed(permission: str) -> str:
    """Return a sentence on the permission that is missing."""
    return _("You need the permission “%(permission)s”.") % {"permission": name_permission(permission)}


def _find_name(permission: str) -> str:
    app_label, _dot, codename = permission.partition(".")
    try:
        models = apps.get_app_config(app_label).get_models()
    except LookupError:
        return permission
    return next((name for model in models if (name := _list_names(model).get(codename))), permission)


def _list_names(model: type[Model]) -> dict[str, str]:
    options = model._meta
    usual = {f"{action}_{options.model_name}": action for action in options.default_permissions}
    names = {codename: f"Can {action} {options.verbose_name_raw}" for codename, action in usual.items()}
    return names | {codename: str(name) for codename, name in options.permissions}
