-- depends: 0079.discrepancies

-- Months of a table that are kept as Parquet in STRADES_COLD_STORE and no longer in the database; reads as of a time take both
-- (database/asof.py). Grain: one row a table and month.
CREATE TABLE records.cold_months (
    relation       text NOT NULL CHECK (relation = 'records.trades'), -- table that the rows were in
    month          date NOT NULL CHECK (month = date_trunc('month', month::timestamp)),
    path           text NOT NULL,             -- below the store; its last part is the file's SHA-256
    row_count      bigint NOT NULL CHECK (row_count > 0), -- how many rows the file has
    size           bigint NOT NULL,           -- of the file, bytes
    sha256         text NOT NULL,             -- of the file
    content_sha256 text NOT NULL,             -- of the rows, whatever file they are in
    archived_at    timestamptz NOT NULL,      -- when they left the database
    PRIMARY KEY (relation, month)
);
GRANT SELECT ON records.cold_months TO strades_dashboard, strades_dbt;
