-- How large each part of the installation was, written once a night; `strades doctor` extrapolates from it.
CREATE TABLE ops.sizes (
    part        text NOT NULL,                -- world, dagster, bodies (within world), wal, logs, home (its other files)
    recorded_at timestamptz NOT NULL,
    bytes       bigint NOT NULL,
    PRIMARY KEY (part, recorded_at)
);
