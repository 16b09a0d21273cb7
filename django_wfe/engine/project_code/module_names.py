"""What an entry of ``WFE_WORKFLOWS`` was meant to be, where it is not the dotted path of a module with workflows."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from difflib import get_close_matches
from importlib.util import find_spec

from django.apps import apps

from django_wfe.values.sentences import gettext as _

USUAL_NAME = "workflows"
"""What the module that declares workflows is usually called."""


def suggest_module(name: str) -> str:
    """Return what to write in place of an entry that names no module with workflows, or "" if that is not known.

    Imports no module that was not imported before, except the packages above the one that is named.
    """
    stripped = name.strip()
    if "," in stripped or " " in stripped:
        parts = stripped.replace(",", " ").split()
        written = ", ".join(f'"{part}"' for part in parts)
        return _("Write a list, one module an entry: [%(written)s].") % {"written": written}
    if os.sep in stripped or stripped.endswith(".py"):
        return _("It is the path of a file; write the module as Python imports it: “%(module)s”.") % {
            "module": _make_dotted(stripped)
        }
    module, _colon, _attribute = stripped.partition(":")
    if module != name:
        return _say_write(module)
    found, missing = _find_longest_module(stripped)
    if found and isinstance(getattr(sys.modules[found], missing.partition(".")[0], None), type):
        return _("“%(name)s” is a class; write the module that holds it: “%(module)s”.") % {
            "name": missing,
            "module": found,
        }
    usual = _find_usual(stripped)
    if usual and usual != stripped:
        return _say_meant(usual)
    if missing:
        nearest = _find_nearest(found, missing.partition(".")[0])
        return _say_meant(nearest) if nearest not in ("", stripped) else ""
    return ""


def is_missing_module(name: str, error: BaseException | None) -> bool:
    """Return whether an import failed because there is no module of this name, and not because of what it holds."""
    cause = error.__cause__ if error is not None and error.__cause__ is not None else error
    return isinstance(cause, ModuleNotFoundError) and (name == cause.name or name.startswith(f"{cause.name}."))


def _say_write(module: str) -> str:
    return _("Write “%(module)s”.") % {"module": module}


def _say_meant(module: str) -> str:
    return _("Did you mean “%(module)s”?") % {"module": module}


def _make_dotted(file: str) -> str:
    path = os.path.abspath(file) if os.path.isabs(file) else os.path.normpath(file)
    if os.path.isabs(path):
        folders = [os.path.join(os.path.abspath(folder or os.curdir), "") for folder in sys.path]
        above = max((folder for folder in folders if path.startswith(folder)), key=len, default=os.sep)
        path = path.removeprefix(above)
    path = path.removesuffix(".py").removesuffix(f"{os.sep}__init__")
    return path.strip(os.sep).replace(os.sep, ".")


def _find_longest_module(name: str) -> tuple[str, str]:
    """Split a dotted path into the longest part that is a module and the rest; either may be ""."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ".".join(parts[:length])
        if path in sys.modules or (length < len(parts) and _is_importable(path)):
            return path, ".".join(parts[length:])
    return "", name


def _is_importable(path: str) -> bool:
    try:
        importlib.import_module(path)
    except Exception:  # a package of the project, which may raise anything: then it is no help
        return False
    return True


def _find_usual(name: str) -> str:
    """Return the module of the usual name in the package, or the app of the label, that is named."""
    packages = [name]
    if name in apps.app_configs:
        packages.append(apps.app_configs[name].name)
    for package in packages:
        path = f"{package}.{USUAL_NAME}"
        try:
            if find_spec(path) is not None:
                return path
        except (ImportError, AttributeError, ValueError):  # the package is none, or is broken
            continue
    return ""


def _find_nearest(package: str, missing: str) -> str:
    if package:
        folders = getattr(sys.modules[package], "__path__", None)
        names = [module.name for module in pkgutil.iter_modules(folders)] if folders is not None else []
        nearest = _match(missing, names)
        return f"{package}.{nearest}" if nearest else ""
    packages = [os.environ.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0]]
    packages += [config.name for config in apps.get_app_configs()]
    packages += [module.name for module in pkgutil.iter_modules([os.getcwd()]) if module.ispkg]
    packages = [name for name in packages if name and not name.startswith("django")]
    usual = list(filter(None, map(_find_usual, dict.fromkeys(packages))))
    nearest = _match(missing, [name.partition(".")[0] for name in packages])
    if nearest:
        return _find_usual(nearest) or nearest
    # A module that is named without its package.
    return usual[0] if missing in ("", USUAL_NAME) and usual else ""


def _match(name: str, names: list[str]) -> str:
    return next(iter(get_close_matches(name, names, n=1, cutoff=0.7)), "")
