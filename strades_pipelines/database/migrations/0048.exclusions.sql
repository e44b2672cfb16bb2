-- depends: 0045.moved_actions

-- Marks that a record is left out, or counts again. Append-only: the newest mark of a record is in force. A row that is
-- left out is moved to the revisions of its table, so that all that reads current records is without it.
CREATE TABLE records.exclusions (
    exclusion_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation     text NOT NULL CHECK (relation IN ('candles', 'trades', 'observations', 'corporate_actions', 'articles', 'documents')),
    key          text[] NOT NULL,             -- the primary key of the record
    is_excluded  boolean NOT NULL,            -- false: an earlier mark is undone
    marked_at    timestamptz NOT NULL,        -- when it was known, UTC
    marked_by    text NOT NULL,               -- whoever asked for it
    reason       text NOT NULL,
    request_id   bigint NOT NULL UNIQUE REFERENCES ops.data_requests,
    CHECK (marked_at BETWEEN '2000-01-01Z' AND '2200-01-01Z')
);
CREATE INDEX ON records.exclusions (relation, key, marked_at);
CREATE INDEX ON records.exclusions (marked_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON records.exclusions
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

-- From when to when each record is left out; excluded_until is null while it is.
CREATE VIEW records.exclusion_spans AS
SELECT
    marks.relation,
    marks.key,
    marks.marked_at AS excluded_from,
    marks.excluded_until,
    marks.marked_by,
    marks.reason
FROM (
    SELECT
        each.*,
        lead(each.marked_at) OVER (PARTITION BY each.relation, each.key ORDER BY each.exclusion_id) AS excluded_until
    FROM records.exclusions AS each
) AS marks
WHERE marks.is_excluded;

-- Whether a record was left out at a time: readers that look back ask it. Times in `key` are written in UTC.
CREATE FUNCTION records.was_excluded(relation text, key text[], at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (
            SELECT mark.is_excluded FROM records.exclusions AS mark
            WHERE mark.relation = $1 AND mark.key = $2 AND mark.marked_at <= $3
            ORDER BY mark.exclusion_id DESC LIMIT 1
        ),
        false
    )
$$;

-- Exclusions are asked for as other changes of data are.
ALTER TABLE ops.data_requests
DROP CONSTRAINT data_requests_kind_check,
ADD CONSTRAINT kinds_of_requests CHECK (kind IN ('file', 'record', 'correction', 'exclusion', 'restoration'));

GRANT SELECT ON records.exclusions, records.exclusion_spans TO strades_dashboard;
COMMENT ON VIEW records.exclusion_spans IS 'One row a record and stretch of time in which it is left out.';
