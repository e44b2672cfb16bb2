-- depends: 0091.monthly_partitions

-- Quotes and frames go cold as trades do.
ALTER TABLE records.cold_months
DROP CONSTRAINT cold_months_relation_check,
ADD CHECK (relation IN ('records.trades', 'records.quotes', 'rawsources.frames'));
