"""``python -m benchmarks``: measure, and say what came of it.

All in one run on one PostgreSQL: an embedded one with its own durability, unless ``--database-host`` names another.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import broker, growth, in_process, latency
from benchmarks.counts import QUICK, Counts
from benchmarks.database import add_server_options, choose_server, open_server
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.report import render_table, write_page

PARTS = ("in_process", "broker", "latency", "growth")
BROKER_PARTS = {"broker", "latency"}


def main(arguments: list[str] | None = None) -> None:
    """Run what the arguments ask for."""
    options = _parse(arguments)
    counts = QUICK if options.quick else Counts()
    parts = options.only or list(PARTS)
    with_dbos = not options.without_dbos and "in_process" in parts
    broker_url = options.rabbitmq if BROKER_PARTS & set(parts) else None
    began = time.monotonic()
    with open_server(choose_server(options)) as server:
        results: dict[str, Any] = {
            "machine": describe_machine(),
            "versions": describe_versions(server, with_dbos=False, broker_url=broker_url),
            "quick": options.quick,
        }
        for part in parts:
            print(f"Measuring {part.replace('_', ' ')} ...", file=sys.stderr, flush=True)
            if part == "in_process":
                results |= in_process.measure(server, counts, with_dbos=with_dbos)
            elif part == "broker":
                results |= broker.measure(server, options.rabbitmq, counts)
            elif part == "latency":
                results |= latency.measure(server, options.rabbitmq, counts)
            else:
                results |= growth.measure(server, counts)
        if with_dbos:
            results["versions"] = describe_versions(server, with_dbos=True, broker_url=broker_url)
    results["seconds"] = time.monotonic() - began
    results = {name: round(value, 4) if isinstance(value, float) else value for name, value in results.items()}
    if options.write:
        write_page(options.write, render_table(results))
    print(json.dumps(results) if options.json else render_table(results))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it runs, not how fast")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part only; may be given twice")
    parser.add_argument("--without-dbos", action="store_true", help="leave DBOS out")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page with the table to this file")
    add_server_options(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
