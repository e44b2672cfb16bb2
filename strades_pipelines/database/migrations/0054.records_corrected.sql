-- depends: 0045.moved_actions 0048.exclusions 0050.lunch_breaks

-- A split that no source states any more is taken back by its inverse, of the same day.
DROP INDEX trading.movements_wallet_listing_id_ex_date_idx;
CREATE UNIQUE INDEX ON trading.movements (wallet, listing_id, ex_date, ratio) WHERE kind = 'split';

-- Dividends and splits whose provider has said them again under another date near by, which count no more (0045). One stays
-- moved when the one that took its place is corrected since: what stood there is an old version then.
CREATE OR REPLACE VIEW records.moved_actions AS
SELECT
    older.listing_id,
    older.ex_date,
    older.action
FROM records.corporate_actions AS older
LEFT JOIN rawsources.fetches AS said ON older.fetch_id = said.fetch_id
WHERE (
    SELECT true
    FROM (
        SELECT
            now_said.listing_id,
            now_said.ex_date,
            now_said.action,
            now_said.ratio,
            now_said.amount,
            now_said.fetch_id,
            now_said.recorded_at
        FROM records.corporate_actions AS now_said
        WHERE
            now_said.listing_id = older.listing_id
            AND now_said.ex_date BETWEEN older.ex_date - 14 AND older.ex_date + 14
            AND now_said.action = older.action
        UNION ALL
        SELECT
            once_said.listing_id,
            once_said.ex_date,
            once_said.action,
            once_said.ratio,
            once_said.amount,
            once_said.fetch_id,
            once_said.recorded_at
        FROM records.corporate_action_revisions AS once_said
        WHERE
            once_said.listing_id = older.listing_id
            AND once_said.ex_date BETWEEN older.ex_date - 14 AND older.ex_date + 14
            AND once_said.action = older.action
            -- Not of a row that is left out, nor of what a body, parsed again, does not say: that was never there.
            AND EXISTS (
                SELECT FROM records.corporate_actions AS corrected_since
                WHERE
                    corrected_since.listing_id = once_said.listing_id
                    AND corrected_since.ex_date = once_said.ex_date
                    AND corrected_since.action = once_said.action
                    AND corrected_since.fetch_id IS DISTINCT FROM once_said.fetch_id
            )
    ) AS newer
    LEFT JOIN rawsources.fetches AS corrected ON newer.fetch_id = corrected.fetch_id
    WHERE
        newer.ex_date <> older.ex_date
        AND abs(newer.ex_date - older.ex_date) <= CASE older.action WHEN 'split' THEN 14 ELSE 5 END
        AND newer.ratio IS NOT DISTINCT FROM older.ratio
        AND newer.amount IS NOT DISTINCT FROM older.amount
        AND (coalesce(corrected.fetched_at, newer.recorded_at), newer.fetch_id)
        > (coalesce(said.fetched_at, older.recorded_at), older.fetch_id)
    ORDER BY newer.ex_date
    LIMIT 1
) IS NOT NULL;

-- From when to when each record is left out; excluded_until is null while it is. By exclusion_id, the mark's own id, pages
-- go on to older ones.
CREATE OR REPLACE VIEW records.exclusion_spans AS
SELECT
    marks.relation,
    marks.key,
    marks.marked_at AS excluded_from,
    marks.excluded_until,
    marks.marked_by,
    marks.reason,
    marks.exclusion_id
FROM (
    SELECT
        each.*,
        lead(each.marked_at) OVER (PARTITION BY each.relation, each.key ORDER BY each.exclusion_id) AS excluded_until
    FROM records.exclusions AS each
) AS marks
WHERE marks.is_excluded;
