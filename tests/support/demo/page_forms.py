"""The forms of a page: what a browser would send, and what a person can do to it."""

from dataclasses import dataclass, field

Upload = tuple[str, bytes]  # file name and content
Button = tuple[str, str]  # name and value


@dataclass
class Field:
    """One control of a form. ``values`` is what would be sent; for a choice ``options`` maps values to their texts.

    ``identifiers`` are the ids of its elements, one for each option where the options are elements of their own.
    """

    name: str
    kind: str
    identifiers: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    label: str = ""
    multiple: bool = False
    disabled: bool = False
    required: bool = False


@dataclass
class Form:
    """A form with the values that the page gave it; change them, then submit it with a ``Browser``."""

    action: str
    method: str
    enctype: str
    identifier: str = ""
    fields: list[Field] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)

    def get(self, name: str) -> Field:
        """The control with that name. Raises ``LookupError``, which lists the names there are."""
        for control in self.fields:
            if control.name == name:
                return control
        raise LookupError(f"The form has no field {name!r}; it has: {', '.join(c.name for c in self.fields)}.")

    def fill(self, name: str, value: str | list[str]) -> None:
        """Write into a control, or choose from it, by value or by the text that is shown; a list for several choices.

        Raises ``LookupError`` where there is no such control or choice, ``ValueError`` where the control is disabled.
        """
        control = self._get_enabled(name)
        wanted = value if isinstance(value, list) else [value]
        control.values = [_find_option(control, choice) for choice in wanted] if control.options else wanted

    def tick(self, name: str, *, ticked: bool = True) -> None:
        """Tick a checkbox, or take its tick away. Raises ``LookupError`` and ``ValueError`` as ``fill`` does."""
        control = self._get_enabled(name)
        if control.kind != "checkbox":
            raise ValueError(f"The field {name!r} cannot be ticked; it is of the kind {control.kind}.")
        control.values = list(control.options)[:1] if ticked else []

    def attach(self, name: str, file_name: str, content: bytes) -> None:
        """Choose a file to upload. Raises ``LookupError`` and ``ValueError`` as ``fill`` does."""
        control = self._get_enabled(name)
        if control.kind != "file":
            raise ValueError(f"The field {name!r} takes no file; it is of the kind {control.kind}.")
        control.upload = (file_name, content)

    def add_hidden(self, name: str, value: str) -> None:
        """Add a control that a script of the page would add, such as the fields of one more row."""
        self.fields.append(Field(name=name, kind="hidden", values=[value]))

    def has(self, name: str) -> bool:
        """Return whether there is a control or a button with that name."""
        return name in {*(control.name for control in self.fields), *(button for button, _ in self.buttons)}

    def list_pairs(self, button: str | Button | None = None) -> list[tuple[str, str | Upload]]:
        """The names and values that a browser would send when ``button`` is pressed, by its name or by name and value.

        Raises ``LookupError`` where there is no such button.
        """
        pairs: list[tuple[str, str | Upload]] = []
        for control in self.fields:
            if control.disabled or not control.name:
                continue
            if control.kind == "file":
                pairs.append((control.name, control.upload or ("", b"")))
            else:
                pairs += [(control.name, value) for value in control.values]
        if button is not None:
            pairs.append(self._find_button(button))
        return pairs

    def _find_button(self, wanted: str | Button) -> Button:
        for button in self.buttons:
            if wanted in (button, button[0]):
                return button
        offered = ", ".join(f"{name}={value}" for name, value in self.buttons) or "none"
        raise LookupError(f"The form has no button {wanted!r}; it has: {offered}.")

    def _get_enabled(self, name: str) -> Field:
        control = self.get(name)
        if control.disabled:
            raise ValueError(f"The field {name!r} is disabled.")
        return control


def _find_option(control: Field, choice: str) -> str:
    if choice in control.options:
        return choice
    for value, text in control.options.items():
        if text == choice:
            return value
    offered = ", ".join(f"{value} ({text})" if text else value for value, text in control.options.items())
    raise LookupError(f"The field {control.name!r} does not offer {choice!r}; it offers: {offered}.")
