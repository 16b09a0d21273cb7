"""Finds the texts of a page that no catalogue has, when the page is shown in the invented language of the tests."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

from django.contrib.auth.models import User

from django_wfe.models import Definition, Job, Step, StepRun, Worker, Workflow

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_SKIPPED = {"script", "style", "pre", "code", "textarea"}
# Not "alt": Django's own icons have English ones, and ours are drawings with a name or none.
_ATTRIBUTES = ("title", "aria-label", "placeholder", "data-label")
_WORD = re.compile(r"[^\W\d_]{2,}")
# Names that are the same in each language, and what another app of the tests' admin calls itself.
_SAME_EVERYWHERE = {
    "REST",
    "JSON",
    "CSV",
    "XLSX",
    "SVG",
    "PNG",
    "DOT",
    "UTC",
    "csv",
    "html",
    "json",
    "tsv",
    "xls",
    "xlsx",
    "ods",
    "yaml",
    "Django",
    "Dramatiq",
    "Tasks",
}


class UntranslatedTexts(HTMLParser):
    """Reads a page; ``found`` lists each text, and each attribute that is read out, with words outside of brackets.

    Not looked at: what stands in ``pre``, ``code`` and ``textarea`` and in elements with ``translate="no"``, and
    ``data``: what the project and its users named.
    """

    def __init__(self, html: str, data: Iterable[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._data = sorted({" ".join(text.split()) for text in data if text}, key=len, reverse=True)
        self._words = {word for text in self._data for word in _WORD.findall(text)}
        self._open: list[tuple[str, bool]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes of an element as it begins."""
        attributes = {name: value or "" for name, value in attrs}
        is_skipped = self._is_skipped or tag in _SKIPPED or attributes.get("translate") == "no"
        if not is_skipped:
            is_button = tag == "input" and attributes.get("type") in ("submit", "button")
            for name in (*_ATTRIBUTES, "value") if is_button else _ATTRIBUTES:
                self._look_at(attributes.get(name, ""), f"{tag}[{name}]")
        if tag not in _VOID:
            self._open.append((tag, is_skipped))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element without content, as drawings have them."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Take in an element as it ends, with those within that need no end of their own."""
        if any(tag == name for name, _is_skipped in self._open):
            while self._open.pop()[0] != tag:
                continue

    def handle_data(self, data: str) -> None:
        """Look at a text."""
        if not self._is_skipped:
            self._look_at(data, self._open[-1][0] if self._open else "")

    @property
    def _is_skipped(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _look_at(self, text: str, place: str) -> None:
        text = " ".join(text.split())
        outside = _take_out_bracketed(text)
        for known in self._data:
            outside = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", " ", outside)
        # A drawing breaks the names of its nodes into lines.
        is_drawn = any(name == "svg" for name, _is_skipped in self._open)
        known_words = self._words | _SAME_EVERYWHERE if is_drawn else _SAME_EVERYWHERE
        if any(word not in known_words for word in _WORD.findall(outside)):
            self.found.append(f"{place}: {text}")


def list_data() -> list[str]:
    """List what the project and its users named, as far as pages show it in running text."""
    names: list[str] = []
    for workflow in Workflow.objects.all():
        names += [workflow.path, workflow.name, workflow.label, workflow.description]
    for step in Step.objects.all():
        names += [step.path, step.path.rpartition(".")[0], step.name, step.label, step.description]
    for definition in Definition.objects.all():
        graph = definition.load_graph()
        names += [definition.fingerprint, str(definition), definition.code_hash]
        names += [edge.label for edge in graph.edges] + [node.path for node in graph.nodes]
    for run in StepRun.objects.all():
        names += [run.step, run.error_type, run.error, run.fingerprint, run.fingerprint[:12]]
    names += [str(job.uuid) for job in Job.objects.all()]
    names += [worker.hostname for worker in Worker.objects.all()]
    names += ["Shop", "Orders"]  # the app of the samples, in the list of apps beside each page
    return names + [user.username for user in User.objects.all()]


def _take_out_bracketed(text: str) -> str:
    kept, depth = [], 0
    for character in text:
        depth += character == "⟦"
        if depth == 0:
            kept.append(character)
        depth = max(depth - (character == "⟧"), 0)
    return "".join(kept)
