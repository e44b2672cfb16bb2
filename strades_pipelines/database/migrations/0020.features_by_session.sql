-- depends: 0012.loaded_at

-- A window of sessions is compared with what is stored of it; models read the rows decided in some years.
CREATE INDEX ON features.daily (session_date);
CREATE INDEX ON features.daily (decision_time);
