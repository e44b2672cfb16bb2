-- depends: 0080.cold_months

-- Symbol changes and delistings, as Sources.json states them, each from when it was announced. Append-only: of an event the row that was known
-- last counts, and of the same announcement the one that was stored last. Grain: one row a listing, event, symbol, occurrence and announcement.
CREATE TABLE records.listing_events (
    listing_id     integer NOT NULL REFERENCES records.listings,
    event          text NOT NULL CHECK (event IN ('renamed', 'delisted')), -- renamed or delisted
    symbol         text NOT NULL,             -- of a symbol change the symbol until then; else empty
    occurrence     smallint NOT NULL DEFAULT 1 CHECK (occurrence > 0), -- which of the times that the listing had this symbol
    effective_at   timestamptz,               -- from when on it holds; null: it was called off
    knowledge_time timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (listing_id, event, symbol, occurrence, knowledge_time, recorded_at),
    CHECK ((event = 'renamed') = (symbol <> ''))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON records.listing_events
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
GRANT SELECT ON records.listing_events TO strades_dashboard, strades_dbt;

-- What was listed at a time under which symbol, as far as was known at another: neither a delisting nor a new symbol counts before it was
-- announced. A listing without events is there as long as Sources.json says. `delisted_at` is a delisting that is known, also one to come.
CREATE FUNCTION records.universe(at timestamptz, known_at timestamptz, stored_at timestamptz DEFAULT 'infinity')
RETURNS TABLE (
    listing_id integer, venue text, symbol text, symbol_now text, valid_from timestamptz, delisted_at timestamptz
) LANGUAGE sql STABLE AS $$
    WITH announced AS (
        SELECT DISTINCT ON (e.listing_id, e.event, e.symbol, e.occurrence) e.*
        FROM records.listing_events AS e
        WHERE e.knowledge_time <= $2 AND e.recorded_at <= $3
        ORDER BY e.listing_id, e.event, e.symbol, e.occurrence, e.knowledge_time DESC, e.recorded_at DESC
    ),
    -- What a listing was called is known to all who trade it: the change to come, or not announced yet, tells the symbol until then.
    renamed AS (
        SELECT DISTINCT ON (e.listing_id, e.symbol, e.occurrence) e.*
        FROM records.listing_events AS e
        WHERE e.event = 'renamed' AND e.recorded_at <= $3
        ORDER BY e.listing_id, e.symbol, e.occurrence, e.knowledge_time DESC, e.recorded_at DESC
    ),
    called AS (
        SELECT DISTINCT ON (r.listing_id) r.listing_id, r.symbol
        FROM renamed AS r
        LEFT JOIN announced AS a
            ON (a.listing_id, a.event, a.symbol, a.occurrence) = (r.listing_id, r.event, r.symbol, r.occurrence)
        WHERE r.effective_at IS NOT NULL AND NOT coalesce(a.effective_at <= $1, false)
        ORDER BY r.listing_id, r.effective_at
    )
    SELECT l.listing_id, l.venue, coalesce(c.symbol, l.symbol), l.symbol, l.valid_from, d.effective_at
    FROM records.listings AS l
    LEFT JOIN called AS c ON c.listing_id = l.listing_id
    LEFT JOIN announced AS d ON d.listing_id = l.listing_id AND d.event = 'delisted'
    WHERE coalesce(l.valid_from <= $1, true) AND coalesce(l.valid_to > $1, true) AND coalesce(d.effective_at > $1, true)
$$;
