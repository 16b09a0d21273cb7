"""The benchmarks run and give what they promise. How fast anything is, is no matter of a test."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
from django.db import connection

from benchmarks.database import open_database
from benchmarks.ratios import Pair, compare
from benchmarks.report import GOALS, ROWS, render_table, write_page
from benchmarks.sides import Side, UnusableReference
from tests.support.demo.demo_helpers import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.versionless, pytest.mark.django_db(transaction=True)]


@pytest.mark.skipif(find_spec("psycopg2") is None, reason="the benchmarks compare with statements of psycopg2")
def test_a_quick_run_of_the_cheapest_part_prints_one_json_object_with_its_figures_and_leaves_no_database() -> None:
    server = connection.settings_dict
    options = ["--database-host", str(server["HOST"]), "--database-port", str(server["PORT"])]
    options += ["--database-user", str(server["USER"]), "--database-password", str(server["PASSWORD"])]
    command = [sys.executable, "-m", "benchmarks", "--json", "--quick", "--only", "in_process", "--without-dbos"]

    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    output, errors = process.communicate(timeout=120)

    assert process.returncode == 0, errors
    figures = json.loads(output)
    steps = ("ours_3_step_ms", "ours_10_step_ms", "ours_50_step_ms", "ours_1000_step_ms")
    for name in ("floor_step_ms", "floor_autocommit_step_ms", "step_vs_floor", *steps):
        assert figures[name] > 0, name
    assert figures["step_vs_floor"] == pytest.approx(figures["ours_10_step_ms"] / figures["floor_step_ms"], rel=0.01)
    assert figures["machine"]["cores"] >= 1
    assert figures["versions"]["PostgreSQL"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"wfe_benchmark_{process.pid}_%"])
        assert cursor.fetchall() == []


def test_this_checkout_is_measured_against_another_commit_whose_own_code_runs_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    process = _start_comparison("HEAD", "--without-broker")
    output, errors = process.communicate(timeout=240)

    assert process.returncode == 0, errors
    figures = json.loads(output)
    for name in ("start", "step", "start_cpu", "step_cpu"):
        found = figures[name]
        assert found["lower"] <= found["upper"], name
        assert found["this"] > 0, name
        assert found["reference"] > 0, name
        assert found["error"] > 0, name
        # The same code: the error of so few rounds is large, but a side that did nothing would show.
        assert 0.1 < found["ratio"] < 10, name
    assert figures["reference"] == _run_git("rev-parse", "HEAD").strip()
    assert str(tmp_path) not in _run_git("worktree", "list")
    assert list(tmp_path.iterdir()) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"wfe_benchmark_{process.pid}_%"])
        assert cursor.fetchall() == []


def test_a_limit_that_is_exceeded_is_an_exit_code_and_a_commit_that_does_not_exist_is_another() -> None:
    # Nothing is a thousand times as fast as the commit that it is.
    process = _start_comparison("HEAD", "--without-broker", "--limit", "0.001")
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 1, errors
    assert json.loads(output)["limit"] == 0.001

    process = _start_comparison("no-such-commit")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no-such-commit" in errors


def test_each_side_of_a_comparison_refuses_to_measure_the_code_of_another_checkout(tmp_path: Path) -> None:
    server = connection.settings_dict
    parameters = {"host": server["HOST"], "port": server["PORT"], "user": server["USER"]}
    parameters |= {"password": server["PASSWORD"], "dbname": "postgres"}
    # A checkout without a django_wfe: what is installed would be found in its place, and be measured twice.
    with open_database(parameters, "template", migrated=False) as template:
        side = Side("empty", tmp_path, ROOT, template)
        with pytest.raises(UnusableReference, match="is not below"), side.run(parameters, 0, None):
            raise AssertionError("never gets here")


def test_a_ratio_is_told_from_the_pairs_and_its_error_from_how_far_the_lots_lie_apart() -> None:
    def build_lot(ratio: float) -> list[Pair]:
        return [Pair(this=ratio * 2 * noise, reference=2 * noise) for noise in (1, 3, 5)]

    alike = compare([build_lot(1.5), build_lot(1.5), build_lot(1.5)])
    apart = compare([build_lot(1.0), build_lot(1.1), build_lot(1.2), build_lot(1.3)])

    assert (alike.ratio, alike.error) == (pytest.approx(1.5), pytest.approx(0.0, abs=1e-12))
    assert (alike.this, alike.reference) == (9, 6)
    assert apart.ratio == pytest.approx(1.15)
    assert apart.error == pytest.approx(stdev([1.0, 1.1, 1.2, 1.3]) / 2)
    assert 1.0 <= apart.lower < apart.ratio < apart.upper <= 1.3


def test_the_table_goes_between_the_markers_of_its_page_and_nothing_else_is_touched(tmp_path: Path) -> None:
    results: dict[str, Any] = {
        "machine": {"cpu": "A CPU", "cores": 2, "memory_gib": 8, "system": "Linux"},
        "versions": {"Python": "3"},
    }
    results |= {name: 1.5 for _, name in ROWS if name}
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")

    write_page(page, render_table(results))

    text = page.read_text()
    assert text.startswith("before\n<!-- figures -->\n")
    assert text.endswith("<!-- end of figures -->\nafter\n")
    assert render_table(results) in text
    assert "old" not in text
    assert set(GOALS) <= {name for _, name in ROWS}

    page.write_text("no markers")
    with pytest.raises(ValueError, match="lacks the markers"):
        write_page(page, render_table(results))


def _start_comparison(*arguments: str) -> subprocess.Popen[str]:
    server = connection.settings_dict
    options = ["--database-host", str(server["HOST"]), "--database-port", str(server["PORT"])]
    options += ["--database-user", str(server["USER"]), "--database-password", str(server["PASSWORD"])]
    command = [sys.executable, "-m", "benchmarks.against", *arguments, "--quick", "--json", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _run_git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True).stdout
