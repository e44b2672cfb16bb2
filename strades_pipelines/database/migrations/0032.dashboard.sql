-- depends: 0025.commands

-- The dashboard's role reads what the migrations make. Its own schema is made with the roles (database/migrate.py), the
-- tables in it by Django's migrations.
GRANT USAGE ON SCHEMA rawsources, records, features, predictions, signals, trading, results, ops TO strades_dashboard;
GRANT SELECT ON ALL TABLES IN SCHEMA rawsources, records, features, predictions, signals, trading, results, ops
TO strades_dashboard;
-- The dashboard inserts commands here, but cannot write their outcomes.
GRANT INSERT (kind, scope, name, requested_by, requested_at, reason, arguments) ON trading.commands TO strades_dashboard;

-- When a source was last fetched is asked by each page.
CREATE INDEX ON rawsources.fetches (source, fetched_at);
