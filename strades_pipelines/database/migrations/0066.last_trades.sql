-- depends: 0065.trades_heard

-- The newest trade of each listing that a stream keeps, for whoever shows a price: brought up to date once a second at most, and told
-- of then on the channel strades_last_trades. Grain: one row a listing.
CREATE TABLE records.last_trades (
    listing_id integer PRIMARY KEY REFERENCES records.listings,
    trade_id   text NOT NULL,
    event_time timestamptz NOT NULL,
    price      double precision NOT NULL,
    size       double precision NOT NULL,
    side       text NOT NULL,
    updated_at timestamptz NOT NULL
);
GRANT SELECT ON records.last_trades TO strades_dashboard;

-- Frames go after a time (ingestion/streams/frame_retention.py), and never otherwise: the setting is of the one transaction that does so.
CREATE FUNCTION rawsources.refuse_change_of_frame() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'DELETE' AND current_setting('strades.deletes_old_frames', true) = 'on' THEN
        RETURN old;
    END IF;
    RAISE EXCEPTION 'rawsources.frames is append-only';
END $$;
DROP TRIGGER append_only ON rawsources.frames;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON rawsources.frames
FOR EACH ROW EXECUTE FUNCTION rawsources.refuse_change_of_frame();
