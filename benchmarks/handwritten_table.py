"""The table of the pipeline that is written by hand."""

CREATE = """
CREATE TABLE handwritten_step (
    id bigserial PRIMARY KEY,
    job bigint NOT NULL,
    number integer NOT NULL,
    result jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (job, number)
)
"""
