-- depends: 0013.stale 0016.split_adjustments

-- A split puts bars and payments into other shares, and what was cleaned of them, in whatever month, at once. It concerns every
-- listing of the market: those of the symbol.
CREATE FUNCTION records.mark_split_adjustments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT relations.name, listings.listing_id, daterange(
        min(CAST(changed.from_time AT TIME ZONE 'UTC' AS date)) - 1,
        CASE WHEN relations.name = 'cleaned.session_bars' THEN max(CAST(changed.to_time AT TIME ZONE 'UTC' AS date)) + 2 END
    )
    FROM changed
    INNER JOIN records.listings AS own ON changed.listing_id = own.listing_id
    INNER JOIN records.listings AS listings ON own.symbol = listings.symbol
    CROSS JOIN (
        VALUES ('cleaned.session_bars'), ('cleaned.growth_factors'), ('cleaned.daily_bars/factors')
    ) AS relations (name)
    GROUP BY relations.name, listings.listing_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.split_adjustments
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_split_adjustments();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.split_adjustments
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_split_adjustments();
CREATE TRIGGER mark_replaced AFTER UPDATE ON records.split_adjustments
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_split_adjustments();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.split_adjustments
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_split_adjustments();
