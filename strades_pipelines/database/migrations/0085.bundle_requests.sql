-- depends: 0082.community

-- Bundles that people want verified or installed, asked for in the dashboard, which runs none of their code. `strades up` carries each out
-- in a process of its own and writes the outcome. Grain: one row a request.
CREATE TABLE ops.bundle_requests (
    request_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- number of the request, in the order they came
    request_key   uuid NOT NULL UNIQUE,       -- of the form: the same form sent twice is one request
    kind          text NOT NULL CHECK (kind IN ('verify', 'install')), -- verify: run it again and compare; install: write its files
    bundle_sha256 text NOT NULL,              -- of the bundle as it was published
    body          bytea NOT NULL,             -- the bundle as the dashboard has it now; empty once the request is carried out
    requested_by  text NOT NULL,              -- person:NUMBER of the account: its name may be erased
    requested_at  timestamptz NOT NULL,       -- when it was asked for
    outcome       text CHECK (outcome IN ('verified', 'differs', 'data not here', 'installed', 'refused')), -- null while it waits
    detail        text,                       -- one line: the first difference, what is missing, or where it is
    finished_at   timestamptz,                -- when it was carried out; null while it waits
    attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- how often a fault kept it from being carried out; after three it is refused
    CONSTRAINT a_bundle_has_at_most_8_mib CHECK (octet_length(body) <= 8388608),
    CHECK (bundle_sha256 ~ '^[0-9a-f]{64}$'),
    CHECK (length(requested_by) <= 200 AND length(detail) <= 1000),
    CHECK (requested_at BETWEEN '2000-01-01Z' AND '2200-01-01Z'),
    CONSTRAINT an_outcome_has_its_time CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
CREATE INDEX ON ops.bundle_requests (request_id) WHERE outcome IS NULL;
CREATE INDEX ON ops.bundle_requests (bundle_sha256, finished_at);
CREATE INDEX ON ops.bundle_requests (requested_by, requested_at);
ALTER TABLE ops.bundle_requests ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE ops.bundle_requests IS 'Bundles that people want verified or installed, with the outcome of each.';

-- The dashboard asks, and cannot write outcomes.
GRANT SELECT, INSERT (request_key, kind, bundle_sha256, body, requested_by, requested_at) ON ops.bundle_requests TO strades_dashboard;

-- What people do in the shop is an event, as what they do on the other pages is.
INSERT INTO ops.event_types VALUES
('item_uploaded', 'Somebody put a bundle into the shop as a draft'),
('item_published', 'Somebody published a bundle'),
('item_withdrawn', 'Somebody withdrew a bundle'),
('item_requested', 'Somebody asked for a bundle'),
('item_granted', 'Somebody was given a bundle'),
('item_declined', 'Somebody was not given a bundle'),
('verification_requested', 'Somebody asked for a bundle to be verified'),
('installation_requested', 'Somebody asked for a bundle to be installed'),
('credits_given', 'An admin gave somebody credits for the shop'),
('item_reported', 'A bundle was reported to the admins'),
('item_hidden', 'An admin hid a bundle'),
('item_shown', 'An admin showed a hidden bundle again');
