"""Export of the lists to files, where django-import-export is among the installed apps; without it there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps

if not TYPE_CHECKING and apps.is_installed("import_export"):
    from django_wfe.admin.exports.lists import ExportableJobs, ExportableStepRuns
else:

    class ExportableJobs:
        """The Job list has no export."""

    class ExportableStepRuns:
        """The list of step runs has no export."""


__all__ = ["ExportableJobs", "ExportableStepRuns"]
