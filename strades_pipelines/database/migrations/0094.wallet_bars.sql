-- depends: 0090.unknown_sides

-- What fills the bars that a wallet's strategies hear, where those are made of trades: 500ticks, 100volume, 1000000notional. Empty: they hear
-- the bars of its interval.
ALTER TABLE trading.wallets
ADD COLUMN every text NOT NULL DEFAULT '';
