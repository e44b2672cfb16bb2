-- depends: 0088.backups 0080.cold_months

-- Consolidated tapes of shares say who traded where and at what price, and not which side took: NULL is that nobody says. The check of
-- 0001 (buy or sell) holds for all others.
ALTER TABLE records.trades ALTER COLUMN side DROP NOT NULL;
ALTER TABLE records.trade_revisions ALTER COLUMN side DROP NOT NULL;
ALTER TABLE records.last_trades ALTER COLUMN side DROP NOT NULL;
