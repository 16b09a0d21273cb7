"""Databases as django-wfe 1.x left them, in SQL: what its migrations made on PostgreSQL, with Jobs in each state."""

import json
from dataclasses import dataclass, field
from typing import Any

START = "django_wfe.steps.__start__"
WORKFLOW = "tests.workflows.Asking"
FETCH, ASK, ROUTE, LEFT, RIGHT = (f"tests.workflows.{name}" for name in ("Fetch", "Ask", "Route", "Left", "Right"))
UUIDS = [f"6d3c1a5e-0000-4000-8000-00000000000{number}" for number in range(8)]

MIGRATIONS = ("0001_initial", "0002_auto_20200511_0939", "0003_auto_20200521_0854")

_NAMED = """
CREATE TABLE "django_wfe_{0}" (
    "id" serial NOT NULL PRIMARY KEY, "name" varchar(250) NOT NULL, "path" varchar(250) NOT NULL UNIQUE
);
CREATE INDEX "django_wfe_{0}_path_{1}_like" ON "django_wfe_{0}" ("path" varchar_pattern_ops);
"""
_STEPS_AND_WORKFLOWS = _NAMED.format("step", "0fe7a6bb") + _NAMED.format("workflow", "19ff7480")
_WATCHDOG = """
CREATE TABLE "django_wfe_watchdog" ("id" serial NOT NULL PRIMARY KEY, "running" boolean NOT NULL);
INSERT INTO "django_wfe_watchdog" VALUES (1, TRUE);
"""
_JOB = """
CREATE TABLE "django_wfe_job" (
    "id" serial NOT NULL PRIMARY KEY, {columns}
    "storage" jsonb NOT NULL, "state" varchar(20) NULL, "current_step_id" integer NULL, "workflow_id" integer NOT NULL
);
ALTER TABLE "django_wfe_job" ADD CONSTRAINT "django_wfe_job_current_step_id_6bd71cc0_fk_django_wfe_step_id"
    FOREIGN KEY ("current_step_id") REFERENCES "django_wfe_step" ("id") DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE "django_wfe_job" ADD CONSTRAINT "django_wfe_job_workflow_id_0f3a4b3c_fk_django_wfe_workflow_id"
    FOREIGN KEY ("workflow_id") REFERENCES "django_wfe_workflow" ("id") DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX "django_wfe_job_current_step_id_6bd71cc0" ON "django_wfe_job" ("current_step_id");
CREATE INDEX "django_wfe_job_workflow_id_0f3a4b3c" ON "django_wfe_job" ("workflow_id");
"""

UNTOLD = {3: {8: "unknown"}}
"""After which migration which Job's step cannot be told any more: 0003 dropped the table that its id led to."""

# What the migration 0002 did to Jobs that were there: one default for all of them.
_ADD_LOGFILE = f"""
ALTER TABLE "django_wfe_job" ADD COLUMN "logfile" varchar(300) NOT NULL DEFAULT '';
ALTER TABLE "django_wfe_job" ALTER COLUMN "logfile" DROP DEFAULT;
ALTER TABLE "django_wfe_job" ADD COLUMN "uuid" uuid NOT NULL DEFAULT '{UUIDS[0]}';
ALTER TABLE "django_wfe_job" ALTER COLUMN "uuid" DROP DEFAULT;
"""

# And 0003: a reference became a path, and an id the text that stands in its place.
_DROP_STEPS = f"""
ALTER TABLE "django_wfe_workflow" ADD COLUMN "deleted" boolean NOT NULL DEFAULT FALSE;
ALTER TABLE "django_wfe_workflow" ALTER COLUMN "deleted" DROP DEFAULT;
ALTER TABLE "django_wfe_job" DROP CONSTRAINT "django_wfe_job_current_step_id_6bd71cc0_fk_django_wfe_step_id";
ALTER TABLE "django_wfe_job" RENAME COLUMN "current_step_id" TO "current_step";
ALTER TABLE "django_wfe_job" ALTER COLUMN "current_step" TYPE varchar(300) USING "current_step"::varchar(300);
UPDATE "django_wfe_job" SET "current_step" = '{START}' WHERE "current_step" IS NULL;
ALTER TABLE "django_wfe_job" ALTER COLUMN "current_step" SET NOT NULL;
CREATE INDEX "django_wfe_job_current_step_6bd71cc0_like" ON "django_wfe_job" ("current_step" varchar_pattern_ops);
DROP TABLE "django_wfe_step" CASCADE;
"""


@dataclass(frozen=True)
class OldJob:
    """A Job of 1.x, and what this version is to make of it: the state of each step run by its step."""

    pk: int
    state: str | None
    step: str
    number: int
    data: list[dict[str, Any]]
    becomes: str
    runs: list[tuple[str, str]]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def storage(self) -> dict[str, Any]:
        return {"data": self.data, **self.more}


def _entry(step: str, result: Any, **more: Any) -> dict[str, Any]:
    return {"step": step, "result": result, **more}


BEGUN = [_entry(START, None), _entry(FETCH, {"value": 1})]
ANSWERED = _entry(ASK, {"given": 4}, external_data={"some_data": 4, "day": None})
DONE_BEFORE = [(START, "FINISHED"), (FETCH, "FINISHED")]

JOBS = [
    OldJob(
        3, "FINISHED", LEFT, 4, [*BEGUN, ANSWERED, _entry(ROUTE, {"given": 4}), _entry(LEFT, "left")],
        "FINISHED", [*DONE_BEFORE, (ASK, "FINISHED"), (ROUTE, "FINISHED"), (LEFT, "FINISHED")], {"shared": [1, 2]},
    ),
    OldJob(
        4, "FINISHED", RIGHT, 4, [*BEGUN, ANSWERED, _entry(ROUTE, {"given": 5}), _entry(RIGHT, "right")],
        "FINISHED", [*DONE_BEFORE, (ASK, "FINISHED"), (ROUTE, "FINISHED"), (RIGHT, "FINISHED")],
    ),
    OldJob(5, "INPUT_REQUIRED", ASK, 2, BEGUN, "CANCELED", [*DONE_BEFORE, (ASK, "CANCELED")]),
    OldJob(
        6, "INPUT_RECEIVED", ASK, 2, [*BEGUN, {"step": ASK, "external_data": {"some_data": 7}}],
        "CANCELED", [*DONE_BEFORE, (ASK, "CANCELED")],
    ),
    OldJob(8, "FAILED", FETCH, 1, [_entry(START, None)], "CANCELED", [(START, "FINISHED"), (FETCH, "CANCELED")]),
    OldJob(9, "PENDING", START, 0, [], "CANCELED", [(START, "CANCELED")]),
    OldJob(11, None, START, 0, [], "CANCELED", [(START, "CANCELED")]),
]  # fmt: skip

STEPS = [START, FETCH, ASK, ROUTE, LEFT, RIGHT]


def build_version_one(migration: int, *, has_records: bool = True) -> str:
    """Give the SQL that makes the tables after the migration of this number, with their rows and their records.

    0 stands for the app inside of its first project, before it was one of its own. The tables of Django's own apps have
    to be there.
    """
    columns = '"current_step_number" integer NOT NULL,' if migration else ""
    parts = [
        _STEPS_AND_WORKFLOWS,
        _JOB.format(columns=columns),
        _fill(bool(migration)),
        "SET CONSTRAINTS ALL IMMEDIATE;",
    ]
    if migration:
        parts.append(_WATCHDOG)
    if migration >= 2:
        parts.append(_ADD_LOGFILE)
    if migration >= 3:
        parts.append(_DROP_STEPS)
    if migration >= 2:
        parts.append(_give_logfiles())
    if has_records:
        names = MIGRATIONS[: max(migration, 1)]
        parts += [
            f"INSERT INTO django_migrations (app, name, applied) VALUES ('django_wfe', '{name}', now());"
            for name in names
        ]
    return "\n".join(parts)


def build_reference() -> str:
    """Give the SQL of a table of the project's own whose rows belong to Jobs."""
    return """
    CREATE TABLE shop_order (
        id serial PRIMARY KEY,
        job_id integer NOT NULL CONSTRAINT shop_order_job REFERENCES django_wfe_job (id) DEFERRABLE INITIALLY DEFERRED
    );
    INSERT INTO shop_order (job_id) SELECT id FROM django_wfe_job;
    """


def _fill(has_number: bool) -> str:
    lines = [
        (
            "INSERT INTO django_wfe_workflow (id, name, path)"
            f" VALUES (2, 'Asking', '{WORKFLOW}'), (7, 'Gone', 'shop.Gone');"
        )
    ]
    for pk, path in enumerate(STEPS, start=1):
        lines.append(
            f"INSERT INTO django_wfe_step (id, name, path) VALUES ({pk}, '{path.rpartition('.')[2]}', '{path}');"
        )
    for job in JOBS:
        state = f"'{job.state}'" if job.state is not None else "NULL"
        step = str(STEPS.index(job.step) + 1) if job.state is not None else "NULL"
        number, value = (", current_step_number", f", {job.number}") if has_number else ("", "")
        lines.append(
            f"INSERT INTO django_wfe_job (id, workflow_id, state, current_step_id, storage{number})"
            f" VALUES ({job.pk}, 2, {state}, {step}, '{json.dumps(job.storage)}'{value});"
        )
    for table in ("step", "workflow", "job"):
        lines.append(f"SELECT setval('django_wfe_{table}_id_seq', (SELECT max(id) FROM django_wfe_{table}));")
    return "\n".join(lines)


def _give_logfiles() -> str:
    """Give each Job that came after 0002 what 1.x gave it; the first two had been there before."""
    return "\n".join(
        f"UPDATE django_wfe_job SET uuid = '{UUIDS[place]}', logfile = '/var/log/wfe/Asking_{UUIDS[place]}.log'"
        f" WHERE id = {job.pk};"
        for place, job in enumerate(JOBS)
        if place > 1
    )
