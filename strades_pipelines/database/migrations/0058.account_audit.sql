-- depends: 0045.moved_actions 0032.dashboard

-- What was done to accounts of the dashboard. Its own schema is owned by the role that serves the pages, which could drop a trigger
-- there or change a row; this one is not.
CREATE SCHEMA audit;

-- One row a change of an account: who did what to whom. Each hash covers its row and the hash before it, as in trading.ledger; the
-- trigger makes them. Rows are only added.
CREATE TABLE audit.account_changes (
    sequence      bigint PRIMARY KEY,         -- from 1, without a gap
    changed_at    timestamptz NOT NULL,       -- as the writer says
    changed_by    text NOT NULL,              -- a name to sign in with, or whose terminal it was
    person_id     bigint NOT NULL,            -- dashboard.user_logging_info; whose account it is
    change        text NOT NULL,              -- what was done
    address       inet,                       -- from where; NULL: a terminal, or of before 0058
    recorded_at   timestamptz NOT NULL,       -- by the clock of the database: rows of before 0058 were copied then
    previous_hash text NOT NULL,              -- of the row before it; of the first one 64 zeros
    hash          text NOT NULL,              -- SHA256 in hex over all other columns, previous_hash first: database/audit.py
    -- The columns of a hash are joined by a control character: no text can stand for two columns.
    CONSTRAINT texts_are_short_and_printable CHECK (
        changed_by ~ '^[^[:cntrl:]]{1,100}$' AND change ~ '^[^[:cntrl:]]{1,100}$'
    ),
    CHECK (changed_at BETWEEN '2000-01-01Z' AND '2200-01-01Z')
);
CREATE INDEX ON audit.account_changes (person_id, sequence);

-- The newest row of the chain: that the last rows were deleted shows here. Writers are in line by its lock.
CREATE TABLE audit.head (
    is_only  boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    sequence bigint NOT NULL,
    hash     text NOT NULL
);
INSERT INTO audit.head (sequence, hash) VALUES (0, repeat('0', 64));

CREATE FUNCTION audit.chain_account_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    zulu constant text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
BEGIN
    SELECT h.sequence + 1, h.hash INTO new.sequence, new.previous_hash FROM audit.head AS h FOR UPDATE;
    new.recorded_at := clock_timestamp();
    new.hash := encode(sha256(convert_to(concat_ws(
        chr(31), new.previous_hash, new.sequence, to_char(new.changed_at AT TIME ZONE 'UTC', zulu), new.changed_by,
        new.person_id, new.change, coalesce(host(new.address), ''), to_char(new.recorded_at AT TIME ZONE 'UTC', zulu)
    ), 'UTF8')), 'hex');
    UPDATE audit.head SET sequence = new.sequence, hash = new.hash;
    RETURN new;
END $$;
CREATE TRIGGER chain BEFORE INSERT ON audit.account_changes
FOR EACH ROW EXECUTE FUNCTION audit.chain_account_change();

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit.account_changes is append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.account_changes
FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

GRANT USAGE ON SCHEMA audit TO strades_dashboard;
GRANT SELECT ON audit.account_changes, audit.head TO strades_dashboard;
GRANT INSERT (changed_at, changed_by, person_id, change, address) ON audit.account_changes TO strades_dashboard;
