-- depends: 0073.lineage_marks

-- Backups of this world, wherever their files are; in no backup, which may be restored on another machine. Grain: one row a backup.
CREATE TABLE ops.backups (
    taken_at     timestamptz NOT NULL,          -- by the server's clock: all that was committed before is in the file
    file         text NOT NULL,                 -- name of the file, without its folder
    size         bigint NOT NULL,               -- bytes
    is_scheduled boolean NOT NULL,              -- by the service of daily backups; false: by hand, wherever it was put
    PRIMARY KEY (taken_at, file)
);
GRANT SELECT ON ops.backups TO strades_dashboard;

-- Since when a service backs this world up every day, until its first backup is there; in no backup. Grain: one row, or none.
CREATE TABLE ops.backup_schedule (
    one_row    boolean PRIMARY KEY DEFAULT true CHECK (one_row), -- always true
    started_at timestamptz NOT NULL                              -- by the server's clock, when the service first reached the world
);
