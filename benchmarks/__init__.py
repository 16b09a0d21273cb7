"""What a step costs, beside what PostgreSQL, DBOS and a hand-written Dramatiq pipeline cost on the same machine.

``python -m benchmarks`` says how to run it; ``docs/benchmarks.md`` keeps what a run has shown.
"""
