-- depends: 0062.streams

-- How often each host may be asked, and whether it may be asked at all: shared by all processes that fetch.
-- Times are of this server's clock. Grain: one row a host that was ever asked.
CREATE TABLE ops.host_limits (
    host                text PRIMARY KEY,          -- with its port, where the address names one
    requests_per_second double precision NOT NULL, -- of the protocol that asked last
    full_at             timestamptz NOT NULL,      -- when the token bucket is full again
    looked_at           timestamptz NOT NULL,      -- the clock at the last change: shows a clock that was set back
    blocked_until       timestamptz,               -- no request before; null: none is held back
    blocked_because     text,
    failures            integer NOT NULL,          -- weight of the failures since the last answer
    probes              integer NOT NULL,          -- requests that tried the host while its circuit was open, since the last answer
    spared              integer NOT NULL           -- requests refused since the last try, so that another one may try
);
GRANT SELECT ON ops.host_limits TO strades_dashboard;
