-- depends: 0090.unknown_sides

-- A page of one article says when it was published, and its words are known from when the page was fetched: they may have been edited since.
-- The check of 0004 took an article with a date for one that was known by it. NULL still goes with `observed` alone.
ALTER TABLE records.articles DROP CONSTRAINT articles_check;
ALTER TABLE records.articles ADD CONSTRAINT articles_check CHECK (knowledge_basis = 'observed' OR published_at IS NOT NULL);
ALTER TABLE records.article_revisions DROP CONSTRAINT articles_check;
ALTER TABLE records.article_revisions ADD CONSTRAINT articles_check CHECK (knowledge_basis = 'observed' OR published_at IS NOT NULL);
