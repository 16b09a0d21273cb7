"""The form of a pydantic model: validated by pydantic itself, drawn for the Django admin."""

import functools
import logging
from collections.abc import Set
from typing import Any, ClassVar

import pydantic
from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import DjangoTemplates
from django.forms.utils import ErrorDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import BaseModel
from pydantic_core import ErrorDetails, to_json

from django_wfe.engine.errors.invalid_input import cover_quoted, hide_secrets
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.inputs.validation import ValidInput, log_defect, read_given
from django_wfe.forms.builder import LayoutBuilder
from django_wfe.forms.declarations.declaration import GroupDeclaration, declare_form, has_upload
from django_wfe.forms.fields.scalars import InputField
from django_wfe.forms.fields.values import EMPTY
from django_wfe.forms.fitting import read_limit
from django_wfe.forms.layout import Group, ItemList, Leaf, Node, locate
from django_wfe.forms.refusals import list_refusals
from django_wfe.forms.structure import StructureChange, read_structure_change

logger = logging.getLogger(__name__)


class InputForm(forms.Form):
    """A form for one pydantic model; `build_input_form` makes the subclass of a model.

    Takes the arguments of any Django form. `initial` is a mapping by field name or alias, nested like the model, or an
    instance of the model. A view uses it so::

        form = build_input_form(Schema)(
            data=request.POST or None, files=request.FILES or None, initial=initial, prefix="input"
        )
        if form.is_bound and not form.apply_structure_change() and form.is_valid():
            provide_external_input(job_id, form.valid_input)
        return render(request, "page.html", {"form": form})      # {{ form.media }} and {{ form }}

    The names in the request: the field `city` of the nested model `address` posts "input-address-city"; each item of
    the list `lines` posts its key under the list's name ("input-lines=0", "input-lines=1") and its values as
    "input-lines-0-amount"; an optional group or list that is given posts "input-address=given". The buttons that add
    and remove items post "input-_structure", with "add:lines" or "remove:lines-0".

    `max_list_items` bounds the items of one list (200), `max_upload_bytes` the size of one uploaded file (1 MiB).
    """

    schema: ClassVar[type[BaseModel]]
    declaration: ClassVar[GroupDeclaration]

    template_name = "django_wfe/forms/form.html"
    # Not the project's FORM_RENDERER: these are Django templates, and a project may draw its own forms with Jinja2. One
    # for all forms: each renderer has an engine of its own, which compiles its templates once.
    default_renderer = DjangoTemplates()
    use_required_attribute = True
    max_list_items = 200
    max_upload_bytes = 1024 * 1024

    class Media:
        css = {"all": ["admin/css/forms.css", "django_wfe/forms.css"]}
        js = ["django_wfe/forms.js", "django_wfe/native.js"]

    def __init__(
        self,
        data: Any = None,
        files: Any = None,
        *,
        initial: Any = None,
        max_upload_bytes: int | None = None,
        **options: Any,
    ) -> None:
        # Labels and values of an instance are read from `initial` by the layout, since it is nested like the schema.
        super().__init__(data, files, **options)
        if max_upload_bytes is not None:
            self.max_upload_bytes = max_upload_bytes
        self.structure_change: StructureChange | None = None
        self.is_shown_as_typed = False
        self.instance: BaseModel | None = None
        self._external_data: Any = None
        self._valid_input: ValidInput | None = None
        self.defects: dict[str, str] = {}
        self._builder = LayoutBuilder(self)
        self.layout: Group = self._builder.build_form(self.declaration, {} if initial is None else initial)

    @property
    def external_data(self) -> Any:
        """The input as plain JSON data, keyed as the schema's validation accepts it: a dict, save for a RootModel.

        Values that were left empty and have a default are left out. Raises ValueError unless `is_valid()` said True.
        """
        if self.instance is None or self.errors:
            raise ValueError(f"The input for {self.schema.__name__} is not valid: call is_valid() and look at errors.")
        return self._external_data

    @property
    def valid_input(self) -> ValidInput:
        """The input for ``provide_external_input``, which does not validate it again.

        Raises ValueError unless `is_valid()` said True.
        """
        if self._valid_input is None or self.errors:
            raise ValueError(f"The input for {self.schema.__name__} is not valid: call is_valid() and look at errors.")
        return self._valid_input

    def is_valid(self) -> bool:
        """Return whether pydantic accepts the input; False if the form is only shown again, without being validated."""
        return not (self.structure_change or self.is_shown_as_typed) and super().is_valid()

    def is_multipart(self) -> bool:
        """Return whether a file can be chosen, now or in an item that JavaScript adds."""
        return has_upload(self.declaration)

    def apply_structure_change(self) -> bool:
        """Add or removes the list item that a button of this form asked for, without validating anything.

        Returns True when such a button sent the form: render it again, everything typed is kept. A button that names
        no list or item of this form changes nothing.
        """
        if not self.is_bound:
            return False
        asked = self.data.get(self.add_prefix(StructureChange.NAME))
        if not asked:
            return False
        self.structure_change = read_structure_change(str(asked))
        self.show_as_typed()
        self.structure_change.apply(self.layout, self._builder)
        return True

    def show_as_typed(self) -> None:
        """Have the form shown again with what was typed, and without a word about whether that is valid."""
        self.is_shown_as_typed = True
        self._errors = ErrorDict(renderer=self.renderer)
        self.cleaned_data = {}

    def read_draft(self) -> dict[str, list[str]]:
        """What was typed, to be kept for later: the posted texts by the name of their input, without the prefix.

        Files are left out, and so are secrets. Posted again under the prefix, it gives the same form.
        """
        draft: dict[str, list[str]] = {}
        for path, field in self.fields.items():
            name = self.add_prefix(path)
            if name in self.data and not (isinstance(field, InputField) and field.is_secret):
                posted = self.data.getlist(name) if hasattr(self.data, "getlist") else [self.data[name]]
                draft[path] = [str(text) for text in posted]
        return draft

    def add_pydantic_errors(self, error: pydantic.ValidationError) -> None:
        """Show the errors of a validation that happened later, such as that of the service layer, at their fields."""
        self._place_errors(error)

    def get_context(self) -> dict[str, Any]:
        return {
            "form": self,
            "layout": self.layout,
            "refusals": list_refusals(self.layout) if self.errors else [],
            "defects": self.defects,
            "most_values": read_limit(),
            "structure_name": self.add_prefix(StructureChange.NAME),
        }

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        return field.initial or None

    def clean(self) -> dict[str, Any]:
        """Let pydantic validate what the fields read."""
        self._check_structure()
        own_errors = set(self._errors or ())
        data = self.layout.read(self.cleaned_data)
        try:
            # As JSON, because that is what is stored: a strict schema accepts an ISO date in JSON only.
            self.instance, settled = read_given(self.schema, to_json(data).decode())
        except pydantic.ValidationError as error:
            self._place_errors(hide_secrets(error, self.schema, data), own_errors)
        except (Exception, SystemExit) as error:
            # A validator is code of the project: its defect is told and logged, not a blank page.
            log_defect(self.schema, error, data)
            self.add_error(
                None,
                _(
                    "The validation of this form failed with %(error)s. This is a defect in %(schema)s, not in your "
                    "input."
                )
                % {"error": cover_quoted(say_briefly(error), self.schema, data), "schema": self.schema.__qualname__},
            )
        else:
            self._external_data = data
            self._valid_input = ValidInput(self.schema, self.instance, settled)
        return self.cleaned_data

    def _check_structure(self) -> None:
        for node in self.layout.walk_given():
            if isinstance(node, Leaf) and node.removable and self._is_left_empty(node):
                self.add_error(node.path, _("This item is empty. Fill it in or remove it."))
            if isinstance(node, ItemList) and node.overflow:
                self.add_error(node.path, self._overflow_message(node))
            if isinstance(node, (Group, ItemList)) and node.is_optional and not node.given and node.is_filled():
                message = _("Something is filled in here, but “%(label)s” is not ticked. Tick it, or empty the fields.")
                self.add_error(node.path, message % {"label": _("Provide %(label)s") % {"label": node.label}})

    def _is_left_empty(self, node: Leaf) -> bool:
        return self.cleaned_data.get(node.path) is EMPTY and not node.declaration.facts.nullable

    def _overflow_message(self, node: ItemList) -> str:
        kept = len(node.items)
        message = ngettext(
            "%(count)d item is more than this form takes: only the first %(kept)d are kept.",
            "%(count)d items are more than this form takes: only the first %(kept)d are kept.",
            kept + node.overflow,
        )
        return message % {"count": kept + node.overflow, "kept": kept}

    def _place_errors(self, error: pydantic.ValidationError, own_errors: Set[str] = frozenset()) -> None:
        """Add each error to its node; what lies beyond a group's fields goes to the top, with its path in words."""
        for details in error.errors(include_url=False):
            node, rest, words = locate(self.layout, details["loc"])
            message, field_name = _message(details), node.path or None
            if rest:
                message = f"{words}: {message}"
                field_name = None if isinstance(node, Group) else field_name
            elif _is_consequence(node, own_errors):
                continue
            self.add_error(field_name, ValidationError(message, code=details["type"]))


@functools.lru_cache(maxsize=512)
def build_input_form(schema: type[BaseModel]) -> type[InputForm]:
    """The form class of a pydantic model, made once for each class.

    Raises TypeError for anything but a pydantic model class, and pydantic's PydanticUndefinedAnnotation for a forward
    reference that cannot be resolved.
    """
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        raise TypeError(f"A form is built from a pydantic model class, not from {schema!r}.")
    attributes = {"schema": schema, "declaration": declare_form(schema), "__module__": __name__}
    return type(f"{schema.__name__}InputForm", (InputForm,), attributes)


def _message(details: ErrorDetails) -> str:
    """Pydantic's message; of an error that a validator raised, the text that its author wrote."""
    raised = details.get("ctx", {}).get("error")
    return str(raised) if isinstance(raised, Exception) and str(raised) else details["msg"]


def _is_consequence(node: Node, own_errors: Set[str]) -> bool:
    """Return whether pydantic only complains because an input that could not be read was left out."""
    if node.path in own_errors:
        return True
    return isinstance(node, Group) and any(below.path in own_errors for below in node.walk())
