-- depends: 0022.changed_rows

-- What features need of an article's words, so that each is read once (predictor/articles.py): a cache, which may be emptied.
CREATE TABLE ops.article_tones (
    source            text NOT NULL,
    article_id        text NOT NULL,
    first_recorded_at timestamptz NOT NULL,   -- recorded_at of the version that was read, the first
    reader            text NOT NULL,          -- hash of the lists of words and of the names that were looked for
    positive          integer NOT NULL,       -- words of the list in title and summary
    negative          integer NOT NULL,
    listings          integer[] NOT NULL,     -- those that are mentioned
    PRIMARY KEY (source, article_id)
);
