-- depends: 0014.answered_at

-- The price of a future may be zero or less (crude oil settled at -37.63 on 2020-04-20); the parser holds the others to be positive.
ALTER TABLE records.candles
DROP CONSTRAINT candles_check,
ADD CONSTRAINT candles_check CHECK (low <= open AND low <= close AND high >= open AND high >= close);
ALTER TABLE records.candle_revisions
DROP CONSTRAINT candles_check,
ADD CONSTRAINT candles_check CHECK (low <= open AND low <= close AND high >= open AND high >= close);

-- A fund pays out what it gained by selling, beside its dividends: `capital_gain`.
ALTER TABLE records.corporate_actions
DROP CONSTRAINT corporate_actions_action_check,
ADD CONSTRAINT corporate_actions_action_check CHECK (action IN ('dividend', 'capital_gain', 'split'));
ALTER TABLE records.corporate_action_revisions
DROP CONSTRAINT corporate_actions_action_check,
ADD CONSTRAINT corporate_actions_action_check CHECK (action IN ('dividend', 'capital_gain', 'split'));
