"""The columns of a step run that opens, in SQL: the one INSERT of a start, of a step that leads on, and of a retry."""

from __future__ import annotations

# By when the input of a run that opens waiting is expected. A run that asks for none opens without the column.
EXPIRES_AT = "%(input_within)s * INTERVAL '1 second'"


def open_run(
    source: str,
    *,
    job_id: str,
    number: str,
    step: str,
    state: str,
    previous_id: str,
    now: str = "statement_timestamp()",
    returning: str = "id",
    **others: str,
) -> str:
    """Return the INSERT of a step run that opens, with an SQL expression for each column.

    Args:
        source: the FROM clause without its keyword; no row in it, no step run.
        now: when it opens. Default: the time of the statement.
        others: columns that are not as in a run that nobody has claimed, that is due now and given nothing.
    """
    columns = {
        "job_id": job_id,
        "number": number,
        "attempt": "1",
        "step": step,
        "state": state,
        "previous_id": previous_id,
        "external_data": "NULL",
        "edited_input": "NULL",
        "worker_id": "NULL",
        "epoch": "0",
        "created_at": now,
        "due_at": now,
        "started_at": "NULL",
        "finished_at": "NULL",
        "result": "NULL",
        "transition": "NULL",
        "dispatched_at": now,
        "lost_before": "0",
        "superseded": "FALSE",
        "dispatches": "0",
        **dict.fromkeys(("error_type", "error", "traceback", "fingerprint"), "''"),
    }
    columns |= others
    return f"""
    INSERT INTO django_wfe_steprun ({", ".join(columns)})
    SELECT {", ".join(columns.values())} FROM {source}
    RETURNING {returning}"""
