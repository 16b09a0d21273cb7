"""A sample workflow: a file comes in, is read row by row, and a person looks at the rows that are doubtful."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from django_wfe import steps, workflows
from django_wfe.demo.workflows.rows import (
    DATA,
    DoubtfulRow,
    Layout,
    Row,
    detect_kind,
    find_doubt,
    read_delimited,
    read_json,
    read_other,
)

LARGEST_FILE = 200_000
"""Bytes."""

MOST_ROWS = 5_000
"""What one job takes in; its rows are kept in its results."""


class SampleFile(StrEnum):
    """The files that ship with the demo, in the folder ``data`` beside this module."""

    TIME_ZONES = "zone1970.tab"
    COUNTRIES = "iso3166.tab"
    OFFICES = "offices.csv"
    STATIONS = "stations.json"
    NOTES = "README.md"


class AskForFile(steps.Step):
    """Choose a file that ships with the demo, or upload a text file of your own: a table, JSON or plain text.

    The table of time zones is a real one. The offices have mistakes on purpose.
    """

    label = "Ask for a file"

    class UserInputSchema(BaseModel):
        sample: SampleFile | None = Field(default=None, description="Leave it empty to upload a file.")
        upload: str | None = Field(
            default=None,
            title="Your own file",
            description="Text in UTF-8, at most 200 kB.",
            max_length=LARGEST_FILE,
            validate_default=True,
            json_schema_extra={"format": "file"},
        )

        @field_validator("upload")
        @classmethod
        def check_that_one_is_given(cls, upload: str | None, info: ValidationInfo) -> str | None:
            if "sample" in info.data and bool(upload) == bool(info.data["sample"]):
                raise ValueError("Choose a sample file or upload one of your own: one of the two.")
            return upload

    def execute(self, external_input: dict[str, Any]) -> dict[str, Any]:
        sample = external_input["sample"]
        if sample is None:
            return {"name": "uploaded file", "text": external_input["upload"].removeprefix("\N{BYTE ORDER MARK}")}
        return {"name": sample, "text": (DATA / sample).read_bytes().decode("utf-8")}


class ValidateFile(steps.Step):
    """Checks that the file is not too large, not empty and proper text, and notes its checksum."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        name, text = _input["name"], _input["text"]
        content = text.encode("utf-8")
        if len(content) > LARGEST_FILE:
            raise ValueError(f"{name} has {len(content):,} bytes; at most {LARGEST_FILE:,} are taken. Split the file.")
        if not text.strip():
            raise ValueError(f"{name} is empty. Give a file with at least one row.")
        if "\N{REPLACEMENT CHARACTER}" in text:
            raise ValueError(f"{name} was damaged when it was read as UTF-8. Save it as UTF-8 and give it again.")
        checksum = hashlib.sha256(content).hexdigest()
        self.log.info("%s: %s bytes, SHA-256 %s", name, len(content), checksum)
        return {"name": name, "bytes": len(content), "sha256": checksum}


class RouteByType(steps.Decision):
    """Looks into the file to see what it is; its name does not matter."""

    labels = ("JSON", "delimited text", "other")

    def transition(self, _input: dict[str, Any]) -> int:
        kind = detect_kind(get_file_text(self.job))
        self.log.info("%s holds: %s", _input["name"], kind)
        return ("json", "delimited", "other").index(kind)


class ParseJson(steps.Step):
    """Reads the entries of a JSON list, one by one."""

    label = "Parse JSON"
    timeout = 60

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        layout, rows = read_json(get_file_text(self.job))
        self.log.info("Each entry should have: %s", ", ".join(layout.columns))
        return sort_rows(_input["name"], layout, rows)


class ParseDelimited(steps.Step):
    """Reads a table line by line. Works out its separator and column names, and passes over its comments."""

    timeout = 60

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        layout, rows = read_delimited(get_file_text(self.job))
        self.log.info("Separator %r, columns: %s", layout.separator, ", ".join(layout.columns) or "without names")
        return sort_rows(_input["name"], layout, rows)


class ParseOther(steps.Step):
    """Reads any other text line by line."""

    timeout = 60

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        layout, rows = read_other(get_file_text(self.job))
        return sort_rows(_input["name"], layout, rows)


class NeedsReview(steps.Decision):
    """Sends the doubtful rows to a person, or goes on where there are none (any more)."""

    label = "Needs a review?"
    labels = ("some rows are doubtful", "no row is doubtful")

    def execute(self, _input: Any = None, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Only what there is to decide: the reviewer sees it beside the form.
        return {"name": _input["name"], "doubtful": _input["doubtful"]}

    def transition(self, result: dict[str, Any]) -> int:
        for row in result["doubtful"]:
            self.log.warning("Line %s: %s", row["line"], row["doubt"])
        return 0 if result["doubtful"] else 1


class Verdict(BaseModel):
    """What becomes of one doubtful row."""

    line: int = Field(ge=1, description="The number of the line or entry, as given with the doubt.", examples=[255])
    verdict: Literal["keep", "drop", "correct"]
    corrected: str = Field(
        default="",
        title="Corrected row",
        description="The whole row as it should read, where the verdict is “correct”.",
        validate_default=True,
    )

    @field_validator("corrected")
    @classmethod
    def check_that_correction_is_given(cls, corrected: str, info: ValidationInfo) -> str:
        if info.data.get("verdict") == "correct" and not corrected.strip():
            raise ValueError("Write the whole row as it should read.")
        return corrected


class ReviewRows(steps.Step):
    """Say for each doubtful row what becomes of it: keep it as it is, drop it, or correct it.

    The rows and their doubts are what the step before gave. Rows without a verdict, and corrected rows that are still
    doubtful, come back to you.
    """

    class UserInputSchema(BaseModel):
        verdicts: list[Verdict] = Field(min_length=1)

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        layout = Layout.model_validate(get_parsed(self.job)["layout"])
        verdicts = {verdict.line: verdict for verdict in self.external_input_model.verdicts}
        kept, dropped, doubtful = list[Row](), list[Row](), list[DoubtfulRow]()
        for row in map(DoubtfulRow.model_validate, _input["doubtful"]):
            verdict = verdicts.pop(row.line, None)
            if verdict is None:
                doubtful.append(row)
            elif verdict.verdict == "drop":
                dropped.append(Row(line=row.line, text=row.text))
            elif verdict.verdict == "keep":
                kept.append(Row(line=row.line, text=row.text))
            elif doubt := find_doubt(verdict.corrected, layout):
                doubtful.append(DoubtfulRow(line=row.line, text=verdict.corrected, doubt=doubt))
            else:
                kept.append(Row(line=row.line, text=verdict.corrected))
        for line in verdicts:
            self.log.warning("Line %s was not in doubt; its verdict is left aside", line)
        self.log.info("%s kept, %s dropped, %s still doubtful", len(kept), len(dropped), len(doubtful))
        return {"name": _input["name"], "kept": kept, "dropped": dropped, "doubtful": doubtful}


class CheckTotals(steps.Step):
    """Checks that every row which came in was either kept or dropped, and sums up."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        parsed = get_parsed(self.job)
        reviews = find_results(self.job, ReviewRows)
        kept = len(parsed["good"]) + sum(len(review["kept"]) for review in reviews)
        dropped = sum(len(review["dropped"]) for review in reviews)
        if parsed["rows"] != kept + dropped:
            raise ValueError(f"{parsed['rows']} rows came in, but {kept} were kept and {dropped} dropped.")
        summary = f"{_input['name']}: {parsed['rows']} rows, {kept} kept, {dropped} dropped, {len(reviews)} reviews."
        self.log.info(summary)
        return {"summary": summary, "rows": parsed["rows"], "kept": kept, "dropped": dropped}


class FileIntake(workflows.Workflow):
    """Takes in a data file: checks it, reads it row by row, and lets a person look at doubtful rows."""

    DIGRAPH = {
        steps.__start__: [AskForFile],
        AskForFile: [ValidateFile],
        ValidateFile: [RouteByType],
        RouteByType: [ParseJson, ParseDelimited, ParseOther],
        ParseJson: [NeedsReview],
        ParseDelimited: [NeedsReview],
        ParseOther: [NeedsReview],
        NeedsReview: [ReviewRows, CheckTotals],
        ReviewRows: [NeedsReview],
    }


def get_file_text(job: Any) -> str:
    """Return the text that came in. The steps after ``AskForFile`` do not pass it on: it is stored only once."""
    text: str = find_results(job, AskForFile)[-1]["text"]
    return text


def get_parsed(job: Any) -> dict[str, Any]:
    """Return what the one of the parsers that ran has found in the file."""
    return find_results(job, ParseJson, ParseDelimited, ParseOther)[-1]


def find_results(job: Any, *nodes: type[steps.Step]) -> list[dict[str, Any]]:
    """Return the results of what this job has run at these nodes, oldest first."""
    paths = {f"{node.__module__}.{node.__qualname__}" for node in nodes}
    return [entry["result"] for entry in job.storage["data"] if entry["step"] in paths]


def sort_rows(name: str, layout: Layout, rows: Iterable[Row]) -> dict[str, Any]:
    """Look at each row, and return the good and the doubtful ones apart."""
    good, doubtful = list[Row](), list[DoubtfulRow]()
    for row in rows:
        if len(good) + len(doubtful) == MOST_ROWS:
            raise ValueError(f"{name} has more than {MOST_ROWS:,} rows. Split the file.")
        if doubt := find_doubt(row.text, layout):
            doubtful.append(DoubtfulRow(line=row.line, text=row.text, doubt=doubt))
        else:
            good.append(row)
    count = len(good) + len(doubtful)
    return {"name": name, "layout": layout, "rows": count, "good": good, "doubtful": doubtful}
