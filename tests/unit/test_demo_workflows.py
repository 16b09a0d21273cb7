"""The steps of the sample workflows one by one, and the reading of rows that "File intake" stands on."""

import hashlib
import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from django_wfe.definition.graph import get_description
from django_wfe.demo import workflows as sample_workflows
from django_wfe.demo.workflows import file_intake, flaky_delivery, purchase_approval, rows
from django_wfe.steps import Step, StepContext, dotted_path, plan_execute, plan_transition
from django_wfe.values.encoding import encode
from django_wfe.workflows import compile_graph, list_problems

pytestmark = pytest.mark.unit

WORKFLOWS = [getattr(sample_workflows, name) for name in sample_workflows.__all__]
ITEM = {"description": "Chair", "quantity": 2, "unit_price": "10.00"}
REQUEST = {"requester": "Ada", "cost_centre": "office", "items": [ITEM], "needed_by": "2027-01-31", "note": None}
ADDRESS = {"name": "Ada", "street": "Main Street 1", "postcode": "", "town": "Uster"}


class FakeJob:
    """What a step sees of a job: its storage, filled with the results of the given steps."""

    def __init__(self, *ran: tuple[type[Step], Any]) -> None:
        self.storage = {"data": [{"step": dotted_path(node), "result": to_stored(result)} for node, result in ran]}


def to_stored(result: Any) -> Any:
    """Give a result as the database gives it back."""
    return json.loads(encode(result, "the result"))


def run_step(
    node: type[Step],
    _input: Any = None,
    *,
    given: Any = None,
    job: FakeJob | None = None,
    attempt: int = 1,
    key: str = "0f8fad5b-d9cb-469f-a165-70867728950e:2",
) -> tuple[Any, int]:
    """Run one step as the engine calls it; give its stored result and the index of the edge that it takes."""
    model = node.UserInputSchema.model_validate(given) if given is not None else None
    offered = {"external_input": model.model_dump()} if model is not None else {}
    context = StepContext(
        load_job=lambda: job or FakeJob(), idempotency_key=key, attempt=attempt, external_input_model=model
    )
    step = node(context)
    result = to_stored(plan_execute(node).call(step.execute, _input, offered))
    edge = plan_transition(node).call(step.transition, _input, {**offered, "result": result})
    return result, edge


def name_wrong_fields(node: type[Step], given: dict[str, Any]) -> set[str]:
    """Give the places at which the step's schema refuses this input."""
    with pytest.raises(ValidationError) as caught:
        node.UserInputSchema.model_validate(given)
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()}


class TestDeclarations:
    @pytest.mark.parametrize("workflow", WORKFLOWS)
    def test_sample_workflows_have_no_problems(self, workflow: type) -> None:
        assert list_problems(workflow) == ()

    @pytest.mark.parametrize("workflow", WORKFLOWS)
    def test_every_node_explains_itself_to_staff(self, workflow: type) -> None:
        assert get_description(workflow)
        assert all(node.description for node in compile_graph(workflow).nodes)

    def test_every_decision_names_its_edges(self) -> None:
        for workflow in WORKFLOWS:
            graph = compile_graph(workflow)
            decisions = [node.path for node in graph.nodes if node.kind == "decision"]
            assert all(edge.label for path in decisions for edge in graph.list_edges_from(path))

    def test_shipped_tables_are_the_copies_that_the_readme_names(self) -> None:
        readme = (rows.DATA / "README.md").read_text(encoding="utf-8")
        named = dict(reversed(line.split()) for line in readme.splitlines() if re.match(r" {4}[0-9a-f]{64}", line))
        assert set(named) == {"zone1970.tab", "iso3166.tab"}
        for name, checksum in named.items():
            content = (rows.DATA / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == checksum
            assert b"This file is in the public domain" in content

    def test_every_sample_file_on_offer_is_shipped(self) -> None:
        assert {sample.value for sample in file_intake.SampleFile} == {path.name for path in rows.DATA.iterdir()}


class TestReadingRows:
    def test_time_zone_table_has_its_columns_and_one_row_out_of_order(self) -> None:
        layout, found = rows.read_delimited((rows.DATA / "zone1970.tab").read_text(encoding="utf-8"))
        read = list(found)
        assert layout.separator == "\t"
        assert layout.columns == ["codes", "coordinates", "TZ", "comments"]
        assert layout.widths == [3, 4]
        assert len(read) == 312
        [doubtful] = [row for row in read if rows.find_doubt(row.text, layout)]
        assert "America/Puerto_Rico" in doubtful.text

    def test_each_mistake_in_the_table_of_offices_is_found_at_its_line(self) -> None:
        layout, found = rows.read_delimited((rows.DATA / "offices.csv").read_text(encoding="utf-8"))
        doubts = {row.line: rows.find_doubt(row.text, layout) for row in found}
        assert layout.columns == ["city", "country", "coordinates", "opened"]
        assert {line: doubt.split(":")[0] for line, doubt in doubts.items() if doubt} == {
            5: "Unknown country code",
            7: "Has 5 cells where other rows have 4.",
            8: "Not ±DDMM±DDDMM or ±DDMMSS±DDDMMSS",
            10: "Minutes or seconds above 59",
            12: "Has 3 cells where other rows have 4.",
            14: "Cannot be split into cells",
        }

    def test_json_entries_are_rows_with_names(self) -> None:
        layout, found = rows.read_json((rows.DATA / "stations.json").read_text(encoding="utf-8"))
        doubts = {row.line: rows.find_doubt(row.text, layout) for row in found}
        assert {line: doubt for line, doubt in doubts.items() if doubt} == {
            3: "Unknown country code: UK.",
            5: "Nothing is given for sensors.",
        }

    def test_json_entry_that_is_no_object_is_doubtful(self) -> None:
        layout, found = rows.read_json('[{"a": 1}, 2]')
        assert [rows.find_doubt(row.text, layout) for row in found] == ["", "Not an object with named values."]

    def test_other_text_keeps_its_line_numbers_and_passes_over_empty_lines(self) -> None:
        layout, found = rows.read_other("# Title\n\nSome text.\a\n")
        assert [(row.line, rows.find_doubt(row.text, layout)) for row in found] == [
            (1, ""),
            (3, "Holds characters that cannot be printed."),
        ]

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ('{"rows": [1, 2]}', "json"),
            ("[]", "json"),
            ("[1, 2", "other"),
            ('{"rows": 1}', "other"),
            ("a,b\n1,2\n", "delimited"),
            ("a|b\n# a comment\n1|2\n", "delimited"),
            ("One line, with a comma.", "other"),
            ("First, some prose.\nIt has, at times, commas, and more.\nAnd then, here, two.\nOr none.\n", "other"),
            ("", "other"),
            ("[" * 100_000, "other"),
        ],
    )
    def test_kind_is_told_from_the_content(self, text: str, kind: str) -> None:
        assert rows.detect_kind(text) == kind

    @pytest.mark.parametrize("cell", ["+4230+00131", "-720041+0023206", "+9000-18000"])
    def test_right_coordinates_are_no_doubt(self, cell: str) -> None:
        assert rows.check_coordinates(cell) == ""

    @pytest.mark.parametrize(
        "cell", ["", "4230+00131", "+4230+0131", "+423000+00131", "+4260+00131", "+9100+00131", "+4230+18100"]
    )
    def test_wrong_coordinates_are_doubtful(self, cell: str) -> None:
        assert rows.check_coordinates(cell)

    @pytest.mark.parametrize(("cell", "doubtful"), [("CH", False), ("CH,DE,LI", False), ("CH,LI,DE", True), ("", True)])
    def test_country_codes_are_known_and_in_order(self, cell: str, doubtful: bool) -> None:
        assert bool(rows.check_country_codes(cell)) is doubtful

    @given(st.text(st.characters(codec="utf-8")))
    def test_no_text_breaks_the_reading(self, text: str) -> None:
        readers = {"json": rows.read_json, "delimited": rows.read_delimited, "other": rows.read_other}
        layout, found = readers[rows.detect_kind(text)](text)
        assert all(isinstance(rows.find_doubt(row.text, layout), str) for row in found)

    @given(st.text("a,;\t\"'#\n0", min_size=1))
    def test_no_table_loses_a_row(self, text: str) -> None:
        layout, found = rows.read_delimited(text)
        read = list(found)
        lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
        assert [row.text for row in read] in (lines, lines[1:])
        assert all(isinstance(rows.find_doubt(row.text, layout), str) for row in read)


class TestFileIntake:
    @pytest.mark.parametrize("given", [{}, {"sample": "offices.csv", "upload": "a;b"}, {"sample": "other.csv"}])
    def test_exactly_one_file_is_asked_for(self, given: dict[str, Any]) -> None:
        assert name_wrong_fields(file_intake.AskForFile, given) <= {"sample", "upload"}

    def test_uploaded_text_comes_in_without_its_byte_order_mark(self) -> None:
        result, _ = run_step(file_intake.AskForFile, given={"upload": "\ufeffa;b"})
        assert result == {"name": "uploaded file", "text": "a;b"}

    def test_checksum_is_that_of_the_shipped_file(self) -> None:
        asked, _ = run_step(file_intake.AskForFile, given={"sample": "zone1970.tab"})
        checked, _ = run_step(file_intake.ValidateFile, asked)
        content = (rows.DATA / "zone1970.tab").read_bytes()
        assert checked == {
            "name": "zone1970.tab",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    @pytest.mark.parametrize(
        ("text", "reason"),
        [(" \n", "is empty"), ("caf\ufffd", "as UTF-8"), ("ü" * 100_001, "200,002 bytes")],
    )
    def test_unfit_file_is_refused_with_the_reason(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            run_step(file_intake.ValidateFile, {"name": "x", "text": text})

    @pytest.mark.parametrize(
        ("sample", "edge"), [("stations.json", 0), ("offices.csv", 1), ("zone1970.tab", 1), ("README.md", 2)]
    )
    def test_route_follows_the_content(self, sample: str, edge: int) -> None:
        asked, _ = run_step(file_intake.AskForFile, given={"sample": sample})
        _, taken = run_step(file_intake.RouteByType, {"name": "x"}, job=FakeJob((file_intake.AskForFile, asked)))
        assert taken == edge

    def test_file_with_too_many_rows_is_refused(self) -> None:
        job = FakeJob((file_intake.AskForFile, {"name": "x", "text": "a\n" * 5_001}))
        with pytest.raises(ValueError, match="more than 5,000 rows"):
            run_step(file_intake.ParseOther, {"name": "x"}, job=job)

    def test_file_without_doubts_needs_no_review(self) -> None:
        parsed = {"name": "x", "layout": {"kind": "other"}, "doubtful": [], "good": ["much"]}
        result, edge = run_step(file_intake.NeedsReview, parsed)
        assert edge == 1
        assert "good" not in result

    def test_correction_must_be_written_down(self) -> None:
        given = {"verdicts": [{"line": 1, "verdict": "drop"}, {"line": 2, "verdict": "correct", "corrected": " "}]}
        assert name_wrong_fields(file_intake.ReviewRows, given) == {"verdicts.1.corrected"}

    def test_review_keeps_drops_corrects_and_leaves_the_rest_in_doubt(self) -> None:
        layout = {"kind": "delimited", "separator": ";", "columns": ["country"], "widths": [1]}
        doubtful = [{"line": line, "text": "XX", "doubt": "Unknown country code: XX."} for line in range(1, 6)]
        given = {
            "verdicts": [
                {"line": 1, "verdict": "keep"},
                {"line": 2, "verdict": "drop"},
                {"line": 3, "verdict": "correct", "corrected": "CH"},
                {"line": 4, "verdict": "correct", "corrected": "YY"},
                {"line": 99, "verdict": "drop"},
            ]
        }
        job = FakeJob((file_intake.ParseDelimited, {"layout": layout}))
        result, _ = run_step(file_intake.ReviewRows, {"name": "x", "doubtful": doubtful}, given=given, job=job)
        assert result["kept"] == [{"line": 1, "text": "XX"}, {"line": 3, "text": "CH"}]
        assert result["dropped"] == [{"line": 2, "text": "XX"}]
        assert result["doubtful"] == [
            {"line": 4, "text": "YY", "doubt": "Unknown country code: YY."},
            {"line": 5, "text": "XX", "doubt": "Unknown country code: XX."},
        ]

    def test_totals_that_do_not_add_up_are_told(self) -> None:
        job = FakeJob(
            (file_intake.ParseOther, {"rows": 3, "good": [{}]}), (file_intake.ReviewRows, {"kept": [{}], "dropped": []})
        )
        with pytest.raises(ValueError, match="3 rows came in, but 2 were kept and 0 dropped"):
            run_step(file_intake.CheckTotals, {"name": "x"}, job=job)


class TestPurchaseApproval:
    def test_total_is_exact(self) -> None:
        items = [{**ITEM, "quantity": 3, "unit_price": "0.10"}, {**ITEM, "quantity": 1, "unit_price": "0.20"}]
        result, _ = run_step(purchase_approval.Total, {**REQUEST, "items": items})
        assert Decimal(result["total"]) == Decimal("0.50")

    @pytest.mark.parametrize(
        ("total", "edge"),
        [("0.01", 0), ("250.00", 0), ("250.01", 1), ("5000.00", 1), ("5000.01", 2), ("1000000", 2)],
    )
    def test_amount_decides_who_approves(self, total: str, edge: int) -> None:
        assert run_step(purchase_approval.RouteByAmount, {"total": total})[1] == edge

    @pytest.mark.parametrize("answer", ["reject", "ask for changes"])
    def test_refusal_without_a_comment_is_refused_at_the_comment(self, answer: str) -> None:
        assert name_wrong_fields(purchase_approval.AskDirector, {"answer": answer}) == {"comment"}

    @pytest.mark.parametrize(("answer", "edge"), [("approve", 0), ("ask for changes", 1), ("reject", 2)])
    def test_answer_leads_on_and_names_who_gave_it(self, answer: str, edge: int) -> None:
        given = {"answer": answer, "comment": "Because."}
        result, _ = run_step(purchase_approval.AskDirector, {**REQUEST, "total": "20.00"}, given=given)
        assert result["answered_by"] == "the director"
        assert run_step(purchase_approval.RouteByAnswer, result)[1] == edge

    def test_revision_replaces_the_items_and_is_counted(self) -> None:
        before = {**REQUEST, "answer": "ask for changes", "answered_by": "the team lead", "comment": "Fewer."}
        given = {"items": [{**ITEM, "quantity": 1}]}
        once, _ = run_step(purchase_approval.Revise, before, given=given)
        twice, _ = run_step(purchase_approval.Revise, once, given=given)
        assert [item["quantity"] for item in twice["items"]] == [1]
        assert (once["revisions"], twice["revisions"]) == (1, 2)
        assert twice["requester"] == "Ada"

    def test_order_number_is_the_same_in_every_attempt_and_differs_between_jobs(self) -> None:
        approved = {**REQUEST, "total": "20.00"}
        first, _ = run_step(purchase_approval.PlaceOrder, approved, key="a:9")
        again, _ = run_step(purchase_approval.PlaceOrder, approved, key="a:9", attempt=2)
        other, _ = run_step(purchase_approval.PlaceOrder, approved, key="b:9")
        assert first["order_number"] == again["order_number"] != other["order_number"]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"items": []}, "items"),
            ({"items": [{**ITEM, "quantity": 0}]}, "items.0.quantity"),
            ({"items": [{**ITEM, "unit_price": "1.005"}]}, "items.0.unit_price"),
            ({"cost_centre": "moon"}, "cost_centre"),
            ({"needed_by": "soon"}, "needed_by"),
        ],
    )
    def test_wrong_request_is_refused_at_its_field(self, change: dict[str, Any], field: str) -> None:
        assert name_wrong_fields(purchase_approval.RequestPurchase, {**REQUEST, **change}) == {field}


class TestFlakyDelivery:
    @pytest.mark.parametrize(("carrier", "works_from"), [("WORKS", 1), ("RECOVERS", 2), ("DOWN", 4)])
    def test_carrier_fails_as_chosen_until_its_attempt(self, carrier: str, works_from: int) -> None:
        parcel = {"weight": 1.5, "carrier": flaky_delivery.Carrier[carrier]}
        for attempt in range(1, works_from):
            with pytest.raises(ConnectionError):
                run_step(flaky_delivery.CallCarrier, parcel, given=ADDRESS, attempt=attempt)
        result, _ = run_step(flaky_delivery.CallCarrier, parcel, given=ADDRESS, attempt=works_from)
        assert result["label"] == "LBL-0F8FAD5B"

    def test_strict_carrier_refuses_until_the_postcode_is_added(self) -> None:
        parcel = {"weight": 1.5, "carrier": flaky_delivery.Carrier.STRICT}
        with pytest.raises(ValueError, match="'Uster' without a postcode"):
            run_step(flaky_delivery.CallCarrier, parcel, given=ADDRESS)
        result, _ = run_step(flaky_delivery.CallCarrier, parcel, given={**ADDRESS, "postcode": "8610"}, attempt=2)
        assert result["address"]["postcode"] == "8610"

    def test_only_a_silent_carrier_is_tried_again_and_only_once(self) -> None:
        retry = flaky_delivery.CallCarrier.retry
        assert retry is not None
        assert retry.allows(ConnectionError(), 1)
        assert not retry.allows(ConnectionError(), 2)
        assert not retry.allows(ValueError(), 1)

    @pytest.mark.parametrize("damaged", [False, True])
    def test_customer_reads_how_the_parcel_arrived(self, damaged: bool) -> None:
        given = {"delivered_on": date(2027, 2, 1), "handed_to": "a neighbour", "damaged": damaged}
        confirmed, _ = run_step(flaky_delivery.ConfirmDelivery, {"address": ADDRESS, "label": "LBL-1"}, given=given)
        result, _ = run_step(flaky_delivery.NotifyCustomer, confirmed)
        assert "parcel LBL-1 was given to a neighbour on 2027-02-01." in result["message"]
        assert ("sorry" in result["message"]) is damaged


def test_steps_tell_what_they_did_in_their_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run_step(purchase_approval.Total, REQUEST)
    assert [record.getMessage() for record in caplog.records] == ["2 x Chair at 10.00 = 20.00", "Total: 20.00"]
    assert {record.name for record in caplog.records} == {f"django_wfe.step.{dotted_path(purchase_approval.Total)}"}
