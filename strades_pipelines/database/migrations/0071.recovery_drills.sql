-- depends: 0062.streams

-- Recovery drills: each restores the server from its archive to a moment before a deliberate DELETE. Grain: one row a drill.
CREATE TABLE ops.recovery_drills (
    drill           text PRIMARY KEY,           -- random
    started_at      timestamptz NOT NULL,       -- by the real clock
    target_time     timestamptz,                -- what was restored: a moment before the DELETE
    base_backup     text,                       -- newest base backup that it was restored from
    archive_seconds double precision,           -- from a commit until its WAL segment, closed at once, was archived
    rpo_seconds     double precision,           -- what a loss of the server loses at most: archive_timeout and archive_seconds
    rto_seconds     double precision,           -- until the restored server took queries
    bodies          bigint,                     -- stored bodies whose SHA-256 was computed again, of all worlds
    fault           text                        -- why it failed; null: all was as it should be
);
-- The rows that a drill deletes, so that their return can be seen. Grain: one row a drill that runs.
CREATE TABLE ops.recovery_marks (
    drill     text PRIMARY KEY,                 -- ops.recovery_drills
    marked_at timestamptz NOT NULL              -- by the server's clock
);
GRANT SELECT ON ops.recovery_drills TO strades_dashboard;
