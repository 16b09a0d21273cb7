"""The benchmarks run and give what they promise. How fast anything is, is no matter of a test."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from benchmarks.report import GOALS, ROWS, render_table, write_page
from tests.demo_helpers import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


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
