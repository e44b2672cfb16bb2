-- What feeds and filings say: articles as their publisher gave them, and documents as they were filed.
CREATE TABLE records.articles (
    source          text NOT NULL,            -- websites[].name
    article_id      text NOT NULL,            -- the publisher's own; where it gives none, a hash of link and title
    url             text,
    title           text NOT NULL,
    summary         text,
    "text"          text,
    authors         text[] NOT NULL,
    "language"      text,
    categories      text[] NOT NULL,
    published_at    timestamptz,              -- null where the publisher does not say
    knowledge_time  timestamptz NOT NULL,     -- when it was published; when we first saw it where that is not said
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (source, article_id),
    CHECK ((knowledge_basis = 'observed') = (published_at IS NULL))
);
CREATE INDEX ON records.articles (knowledge_time);
CREATE INDEX ON records.articles (fetch_id);
CREATE TABLE records.article_revisions (
    LIKE records.articles INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (source, article_id, recorded_at)
);

CREATE TABLE records.documents (
    source          text NOT NULL,            -- websites[].name
    document_id     text NOT NULL,            -- the archive's own: EDGAR's accession number
    entity          text NOT NULL,            -- who filed it: a CIK
    form            text NOT NULL,            -- 10-K, 8-K, 4, ...
    title           text,
    url             text,
    period_end      date,                     -- the last day it reports on
    filed_at        timestamptz NOT NULL,     -- when the archive accepted it
    knowledge_time  timestamptz NOT NULL,
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (source, document_id),
    CHECK (knowledge_time >= filed_at)
);
CREATE INDEX ON records.documents (entity, filed_at);
CREATE INDEX ON records.documents (fetch_id);
CREATE TABLE records.document_revisions (
    LIKE records.documents INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (source, document_id, recorded_at)
);
