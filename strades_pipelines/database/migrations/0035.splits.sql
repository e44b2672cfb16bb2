-- depends: 0032.dashboard

-- The splits of each listing, which are those of its market: a venue that relays an exchange's prices may state none.
CREATE VIEW records.market_splits AS
SELECT DISTINCT ON (own.listing_id, split.ex_date)
    own.listing_id,
    split.ex_date,
    split.ratio,
    split.knowledge_time
FROM records.listings AS own
INNER JOIN records.listings AS peer
    ON
        own.symbol = peer.symbol
        AND own.currency = peer.currency
        AND own.adjustment = peer.adjustment
        AND own.calendar = peer.calendar
        AND (own.calendar <> '24/7' OR own.venue = peer.venue)
INNER JOIN records.corporate_actions AS split ON peer.listing_id = split.listing_id
WHERE split.action = 'split' AND split.ratio > 0
ORDER BY own.listing_id, split.ex_date, peer.listing_id <> own.listing_id, peer.venue;

-- A split of what a wallet trades is a movement without a command: its cause is the record of the split.
ALTER TABLE trading.movements
ADD COLUMN listing_id integer REFERENCES records.listings, -- of a split: of what
ADD COLUMN ex_date date,
ADD COLUMN ratio text,                        -- new units for one old, as a fraction: 4, 3/2, 1/10
ADD COLUMN units_taken numeric;               -- new units that came to no whole lot, and were paid out for `amount`
ALTER TABLE trading.movements ALTER COLUMN command_id DROP NOT NULL;
ALTER TABLE trading.movements
DROP CONSTRAINT movements_kind_check,
DROP CONSTRAINT movements_amount_check,
ADD CONSTRAINT movements_kind_check CHECK (
    kind IN ('deposit', 'withdrawal', 'transfer', 'dividend', 'interest', 'charge', 'split')
),
ADD CONSTRAINT movements_amount_check CHECK (amount <> 0 OR kind = 'split'),
ADD CONSTRAINT movements_command_check CHECK ((kind = 'split') = (command_id IS NULL)),
ADD CONSTRAINT movements_split_check CHECK (
    num_nonnulls(listing_id, ex_date, ratio, units_taken) = CASE kind WHEN 'split' THEN 4 ELSE 0 END
);
CREATE UNIQUE INDEX ON trading.movements (wallet, listing_id, ex_date) WHERE kind = 'split';
ALTER TABLE trading.ledger DROP CONSTRAINT ledger_kind_check;
-- The amount of a 'split' is what was paid for a fraction, mostly nothing; its movement's id covers ratio and fraction.
ALTER TABLE trading.ledger ADD CONSTRAINT ledger_kind_check CHECK (
    kind IN ('deposit', 'withdrawal', 'transfer', 'dividend', 'interest', 'charge', 'fill', 'fee', 'unit_fee', 'split')
);
