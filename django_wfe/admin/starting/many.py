"""Starting many Jobs of a Workflow from a file: choose it, look at what would happen row by row, confirm."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings as django_settings
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.history import log_starts
from django_wfe.admin.starting.one import explain_no_start, find_startable
from django_wfe.definition.secret_places import SecretPlaces
from django_wfe.engine.access import PROVIDE_INPUT, has_permission
from django_wfe.engine.lifecycle import (
    MAX_ROWS,
    PlannedRow,
    RowMeaning,
    Source,
    StartRow,
    plan_starts,
    read_row_meaning,
    start_many,
)
from django_wfe.exceptions import CodeNotLoaded, PermissionRequired, WFEException
from django_wfe.models import Workflow
from django_wfe.spreadsheets import MAX_BYTES, Column, Columns, UnreadableFile, list_formats, read_file
from django_wfe.values.sealing import seal_places, unseal

LISTED = 100
SALT = "django_wfe.start_many"
VALID_SECONDS = 24 * 60 * 60
ROOM_FOR_OTHER_FIELDS = 10_000


class FileForm(forms.Form):
    """The file to start from."""

    file = forms.FileField(label=gettext_lazy("File"), widget=forms.FileInput())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        formats = list_formats()
        self.fields["file"].widget.attrs["accept"] = ",".join(formats)
        self.fields["file"].help_text = _("%(formats)s; at most %(rows)s rows and %(bytes)s bytes.") % {
            "formats": ", ".join(formats),
            "rows": f"{MAX_ROWS:,}",
            "bytes": f"{MAX_BYTES:,}",
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of the rows of a file."""

    start: list[PlannedRow]
    known: list[PlannedRow]
    refused: list[PlannedRow]
    unknown_columns: list[str]

    @classmethod
    def sort(cls, planned: Sequence[PlannedRow], unknown_columns: list[str]) -> Preview:
        """Sort the rows by what would become of them."""
        by_outcome: dict[str, list[PlannedRow]] = {"start": [], "known": [], "refused": []}
        for row in planned:
            by_outcome[row.outcome].append(row)
        return cls(**by_outcome, unknown_columns=unknown_columns)


def show_start_many(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> HttpResponseBase:
    """Ask for a file, show what each of its rows would do, and do it when that is confirmed."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    workflow = find_startable(model_admin, request, workflow_id)
    reason = explain_no_start(workflow, request.user)
    meaning = read_row_meaning(workflow) if not reason else None
    if (
        meaning is not None
        and meaning.kind == "first_input"
        and not has_permission(request.user, PROVIDE_INPUT, workflow)
    ):
        meaning, reason = None, _("The rows contain input, and you do not have the permission to provide input.")
    form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
    if meaning is None:
        return _render(model_admin, request, workflow, form, no_start=reason)
    if request.method == "POST" and "confirmed" in request.POST:
        return _start(model_admin, request, workflow)
    if form.is_valid():
        try:
            return _preview(model_admin, request, workflow, meaning, form)
        except PermissionRequired as error:
            raise PermissionDenied from error
        except (UnreadableFile, WFEException) as error:
            form.add_error("file", str(error))
    return _render(model_admin, request, workflow, form, meaning=meaning, columns=_list_columns(meaning))


def _list_columns(meaning: RowMeaning) -> list[Column]:
    try:
        return Columns(meaning.load_schema()).list_columns()
    except CodeNotLoaded:
        return []  # said for the file: without the code nothing can be started from one


def _preview(
    model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow: Workflow, meaning: RowMeaning, form: FileForm
) -> HttpResponseBase:
    columns, upload = Columns(meaning.load_schema()), form.cleaned_data["file"]
    found = read_file(upload, columns)
    plan = Preview.sort(plan_starts(workflow, found.rows, actor=request.user), columns.list_unknown(found.rows))
    return _render(
        model_admin,
        request,
        workflow,
        form,
        meaning=meaning,
        preview=plan,
        file_name=upload.name,
        sheet=found.sheet,
        listed=LISTED,
        listed_slice=f":{LISTED}",
        start_listed=[(item, columns.describe_values(item.row)) for item in plan.start[:LISTED]],
        confirmed=_pack(request.user, workflow, [row.row for row in plan.start], columns.secrets),
    )


def _pack(user: Any, workflow: Workflow, rows: Sequence[StartRow], secrets_in: SecretPlaces) -> str:
    """Write the rows that would start into a signed text, which the page posts back: nothing is kept on the server.

    Anybody who has the page can read it, so the secrets are sealed.
    """
    content = {
        "user": str(user.pk),
        "workflow": workflow.pk,
        "batch": secrets.token_hex(6),
        "rows": [(row.number, row.key, seal_places(row.values, secrets_in)) for row in rows],
    }
    packed = signing.dumps(content, salt=SALT, compress=True)
    limit = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if limit is not None and len(packed) > limit - ROOM_FOR_OTHER_FIELDS:
        raise UnreadableFile(_("These are more data than can be confirmed in one go. Split the file."))
    return packed


def _unpack(user: Any, workflow: Workflow, packed: str) -> tuple[str, list[StartRow]]:
    try:
        content = signing.loads(packed, salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        content = {}
    if content.get("user") != str(user.pk) or content.get("workflow") != workflow.pk:
        raise UnreadableFile(_("This preview is too old, or was made for someone else. Choose the file again."))
    return content["batch"], [StartRow(number, key, unseal(values)) for number, key, values in content["rows"]]


def _start(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow: Workflow) -> HttpResponseBase:
    try:
        batch, rows = _unpack(request.user, workflow, request.POST["confirmed"])
        # The rows without a key get one: a second click on the button starts nothing twice.
        done = start_many(workflow, rows, actor=request.user, source=Source.ADMIN, batch=f"file {batch} row")
    except PermissionRequired as error:
        raise PermissionDenied from error
    except (UnreadableFile, WFEException) as error:
        messages.warning(request, _("Nothing was started: %(reason)s") % {"reason": error})
        return HttpResponseRedirect(model_admin.build_url("django_wfe_workflow_start_many", workflow.pk))
    plan = Preview.sort(done, [])
    log_starts(request, [row.job_id for row in plan.start if row.job_id is not None])
    _tell(request, plan)
    if has_permission(request.user, "django_wfe.view_job", workflow):
        jobs = model_admin.build_url("django_wfe_job_changelist")
        return HttpResponseRedirect(f"{jobs}?{urlencode({'workflow': workflow.pk})}")
    return HttpResponseRedirect(model_admin.build_object_url(workflow.pk))


def _tell(request: HttpRequest, plan: Preview) -> None:
    count = len(plan.start)
    if count:
        messages.success(
            request,
            ngettext("%(count)s job was started.", "%(count)s jobs were started.", count) % {"count": f"{count:,}"},
        )
    known = len(plan.known)
    if known:
        messages.info(
            request,
            ngettext(
                "%(count)s row was started before; no other job was started for it.",
                "%(count)s rows were started before; no other jobs were started for them.",
                known,
            )
            % {"count": f"{known:,}"},
        )
    for row in plan.refused[:20]:
        reason = " ".join(row.errors)
        messages.warning(
            request, _("Row %(number)s was not started: %(reason)s") % {"number": row.row.number, "reason": reason}
        )


def _render(
    model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow: Workflow, form: FileForm, **context: Any
) -> HttpResponseBase:
    return model_admin.render(
        request,
        "django_wfe/console/start_many.html",
        title=_("Start many: %(workflow)s") % {"workflow": workflow},
        crumbs=[model_admin.list_crumb(), Crumb(str(workflow), model_admin.build_object_url(workflow.pk))],
        media=forms.Media(css={"all": ["django_wfe/inbox.css"]}),
        workflow=workflow,
        form=form,
        **context,
    )
