-- depends: 0073.lineage_marks

-- Backups of this world, wherever their files are: whoever reaches the database knows how old the newest is. Grain: one row a backup.
CREATE TABLE ops.backups (
    taken_at timestamptz NOT NULL,              -- by the real clock
    file     text NOT NULL,                     -- name of the file, without its folder
    size     bigint NOT NULL,                   -- bytes
    PRIMARY KEY (taken_at, file)
);
GRANT SELECT ON ops.backups TO strades_dashboard;
