-- depends: 0036.finite_times_of_commands

-- The dashboard lists filings by when they became known, and looks for other articles of the same title.
CREATE INDEX ON records.documents (knowledge_time);
CREATE INDEX ON records.articles USING hash (lower(title));
