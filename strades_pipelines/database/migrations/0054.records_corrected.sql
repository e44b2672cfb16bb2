-- depends: 0045.moved_actions 0048.exclusions 0050.lunch_breaks

-- A split that no source states any more is taken back by its inverse, of the same day.
DROP INDEX trading.movements_wallet_listing_id_ex_date_idx;
CREATE UNIQUE INDEX ON trading.movements (wallet, listing_id, ex_date, ratio) WHERE kind = 'split';
