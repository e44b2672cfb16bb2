-- depends: 0025.commands

-- The order in whose place this one is to stand. It is taken back first, or both in one request where the venue can.
ALTER TABLE trading.intents
ADD COLUMN replaces text REFERENCES trading.intents;
CREATE INDEX ON trading.intents (replaces) WHERE replaces IS NOT NULL;
