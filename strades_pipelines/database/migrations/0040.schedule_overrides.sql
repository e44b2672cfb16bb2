-- depends: 0036.finite_times_of_commands

-- Other times for a schedule than those of its code or of Sources.json. The newest row of a schedule counts; one with
-- `is_own` takes the others back, and has the schedule's own times in `cron`. Rows are only added. When it was asked for
-- is the database's word: from then on the new times count, and a tick that the old ones had before stays due.
CREATE TABLE ops.schedule_overrides (
    override_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule     text NOT NULL CHECK (length(schedule) <= 200),
    cron         text NOT NULL CHECK (length(cron) <= 200),   -- UTC
    is_own       boolean NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    reason       text NOT NULL,
    request_key  uuid NOT NULL UNIQUE
);
GRANT SELECT ON ops.schedule_overrides TO strades_dashboard;
GRANT INSERT (schedule, cron, is_own, requested_by, reason, request_key) ON ops.schedule_overrides TO strades_dashboard;
