"""An HTML page as a browser without scripts sees it: forms, links and text, and what a strict policy would forbid."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from tests.support.demo.page_forms import Field, Form

_TYPED = {"input", "button"}
# White space between words is one space to a browser, save in preformatted text.
_SPACE = re.compile(r"\s+")

# Elements whose text is not shown, or is not part of the page yet.
_SILENT = {"script", "style", "template"}
_BLOCKS = {"p", "div", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "br", "label", "option", "dt", "dd", "section"}
_RESOURCES = {"script": "src", "img": "src", "link": "href"}


@dataclass
class Link:
    """A link with its text."""

    address: str
    text: str = ""


@dataclass
class Row:
    """A row of a table: its ``data-`` attributes and the texts of its cells."""

    facts: dict[str, str]
    cells: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """A page read from its address and its HTML.

    ``facts`` are its ``data-`` attributes, the first of each name: what the page tells scripts about itself.
    """

    def __init__(self, address: str, status: int, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.address = address
        self.status = status
        self.title = ""
        self.forms: list[Form] = []
        self.links: list[Link] = []
        self.resources: list[str] = []
        self.violations: list[str] = []
        self.facts: dict[str, str] = {}
        self.rows: list[Row] = []
        self._form: Form | None = None
        self._unowned: dict[str, list[Field]] = {}
        self._labels: dict[str, str] = {}
        self._label_for: str | None = None
        self._link: Link | None = None
        self._select: Field | None = None
        self._option: str | None = None
        self._textarea: Field | None = None
        self._silent: list[str] = []
        self._in_title = False
        self._in_cell = False
        self._texts: list[str] = []
        self._in_pre = False
        self.feed(html)
        self.close()
        self._connect()

    @property
    def text(self) -> str:
        """What a person reads, with the white space of the source folded."""
        return "\n".join(line for line in (" ".join(part.split()) for part in "".join(self._texts).split("\n")) if line)

    def find_form(self, *names: str) -> Form:
        """The first form that has fields or buttons of all those names. Raises ``LookupError`` where none has."""
        for form in self.forms:
            if all(map(form.has, names)):
                return form
        raise LookupError(f"{self.address} has no form with {', '.join(names)}. It says: {self.text[:1000]}")

    def find_link(self, part: str) -> str:
        """The address of the first link whose text or address holds ``part``; ``LookupError`` where none does."""
        for link in self.links:
            if part in link.text or part in link.address:
                return link.address
        raise LookupError(f"{self.address} has no link with {part!r}. It says: {self.text[:1000]}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element as it begins."""
        attributes = {name: value or "" for name, value in attrs}
        present = {name for name, _ in attrs}
        self._look_for_violations(tag, attributes)
        facts = {name.removeprefix("data-"): value for name, value in attributes.items() if name.startswith("data-")}
        self.facts = facts | self.facts
        if tag in _BLOCKS:
            self._texts.append("\n")
        if tag in _SILENT:
            self._silent.append(tag)
        if "template" in self._silent:
            return
        if tag == "pre":
            self._in_pre = True
        if tag == "tr":
            self.rows.append(Row(facts))
        elif tag in {"td", "th"} and self.rows:
            self.rows[-1].cells.append("")
            self._in_cell = True
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "form":
            self._form = Form(
                action=urljoin(self.address, attributes.get("action", "")),
                method=attributes.get("method", "get").lower(),
                enctype=attributes.get("enctype", "application/x-www-form-urlencoded"),
                identifier=attributes.get("id", ""),
            )
            self.forms.append(self._form)
        elif tag == "label":
            # A label without "for" is for the control inside it, which is yet to come.
            self._label_for = attributes.get("for", "")
            self._labels[""] = ""
        elif tag == "a" and "href" in attributes:
            self._link = Link(urljoin(self.address, attributes["href"]))
            self.links.append(self._link)
        elif tag in {"input", "select", "textarea", "button"}:
            self._handle_control(tag, attributes, present)
        elif tag == "option" and self._select is not None:
            self._option = attributes.get("value", "")
            self._select.options[self._option] = ""
            if "selected" in present:
                self._select.values.append(self._option)
        if tag in _RESOURCES and attributes.get(_RESOURCES[tag]):
            self.resources.append(urljoin(self.address, attributes[_RESOURCES[tag]]))

    def handle_endtag(self, tag: str) -> None:
        """Take in an element as it ends."""
        if tag in self._silent:
            while self._silent.pop() != tag:
                continue
            return
        if tag in _BLOCKS:
            self._texts.append("\n")
        if tag == "title":
            self._in_title = False
        elif tag == "pre":
            self._in_pre = False
        elif tag in {"td", "th", "table"}:
            if self._in_cell:
                self.rows[-1].cells[-1] = self.rows[-1].cells[-1].strip()
            self._in_cell = False
        elif tag == "form":
            self._form = None
        elif tag == "label":
            if self._label_for is not None:
                self._labels[self._label_for] = self._labels.get(self._label_for, "").strip()
            self._label_for = None
        elif tag == "a":
            if self._link is not None:
                self._link.text = self._link.text.strip()
            self._link = None
        elif tag == "option":
            self._option = None
        elif tag == "textarea":
            self._textarea = None
        elif tag == "select" and self._select is not None:
            # A browser chooses the first option where the page chooses none.
            if not self._select.values and not self._select.multiple:
                self._select.values = list(self._select.options)[:1]
            self._select = None

    def handle_data(self, data: str) -> None:
        """Take in text."""
        if self._silent:
            return
        if self._textarea is not None:
            # The first line break after the tag belongs to the source, not to the value.
            start = not self._textarea.values[0]
            self._textarea.values[0] += data.removeprefix("\n") if start else data
            return
        if not self._in_pre:
            data = _SPACE.sub(" ", data)
        self._texts.append(data)
        if self._in_cell:
            self.rows[-1].cells[-1] += data
        if self._in_title:
            self.title += data.strip()
        if self._link is not None:
            self._link.text += data
        if self._label_for is not None:
            self._labels[self._label_for] = f"{self._labels.get(self._label_for, '')}{data}"
        if self._select is not None and self._option is not None:
            self._select.options[self._option] += data.strip()

    def _handle_control(self, tag: str, attributes: dict[str, str], present: set[str]) -> None:
        name, value = attributes.get("name", ""), attributes.get("value", "")
        kind = attributes.get("type", "submit" if tag == "button" else "text").lower() if tag in _TYPED else tag
        if tag == "button" or kind in {"submit", "image", "button", "reset"}:
            if self._form is not None and kind == "submit" and name and "disabled" not in present:
                self._form.buttons.append((name, value))
            return
        identifier = attributes.get("id", f"#{len(self._labels)}")
        if self._label_for == "":
            self._label_for = identifier
            self._labels[identifier] = self._labels[""]
        control = Field(
            name=name,
            kind=kind,
            identifiers=[identifier],
            multiple="multiple" in present,
            disabled="disabled" in present,
            required="required" in present,
        )
        if tag == "select":
            self._select = control
        elif tag == "textarea":
            control.values = [""]
            self._textarea = control
        elif kind in {"checkbox", "radio"}:
            known = next((c for c in self._form.fields if c.name == name), None) if self._form is not None else None
            value = value if "value" in present else "on"
            owner = known or control
            owner.options[value] = ""
            if "checked" in present:
                owner.values.append(value)
            if known is not None:
                known.identifiers.append(identifier)
                return
        elif kind != "file":
            control.values = [value]
        self._own(control, attributes.get("form"))

    def _own(self, control: Field, form_identifier: str | None) -> None:
        if form_identifier is not None:
            self._unowned.setdefault(form_identifier, []).append(control)
        elif self._form is not None:
            self._form.fields.append(control)

    def _connect(self) -> None:
        for form in self.forms:
            form.fields += self._unowned.get(form.identifier, []) if form.identifier else []
            for control in form.fields:
                labels = [" ".join(self._labels.get(identifier, "").split()) for identifier in control.identifiers]
                control.label = labels[0].rstrip(":")
                if control.kind in {"checkbox", "radio"}:
                    control.options = dict(zip(control.options, labels, strict=False))

    def _look_for_violations(self, tag: str, attributes: dict[str, str]) -> None:
        """Note what ``default-src 'self'`` makes a browser ignore: a page that relies on it is broken there."""
        is_data = attributes.get("type", "") in {"application/json", "text/template"}
        if tag == "script" and "src" not in attributes and not is_data:
            self.violations.append("inline script")
        if tag == "style":
            self.violations.append("style element")
        for name, value in attributes.items():
            if name == "style":
                self.violations.append(f"style attribute on {tag}: {value}")
            if name.startswith("on"):
                self.violations.append(f"{name} attribute on {tag}")
            if name in {"href", "src", "action"} and value.strip().lower().startswith("javascript:"):
                self.violations.append(f"script in the {name} of {tag}")
        address = attributes.get(_RESOURCES.get(tag, ""), "")
        if address and urlsplit(urljoin(self.address, address)).netloc != urlsplit(self.address).netloc:
            self.violations.append(f"{tag} from elsewhere: {address}")
