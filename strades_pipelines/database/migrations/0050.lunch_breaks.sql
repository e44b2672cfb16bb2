-- depends: 0045.moved_actions

-- Tokyo, Hong Kong, Shanghai, Shenzhen and others close for lunch: no bar of a minute is missing then, no order is taken.
-- Null: a session without a break.
ALTER TABLE records.sessions
ADD COLUMN break_start timestamptz,
ADD COLUMN break_end timestamptz,
ADD CONSTRAINT break_in_session CHECK (
    (break_start IS NULL AND break_end IS NULL)
    OR (open_time < break_start AND break_start < break_end AND break_end < close_time)
);
-- The sessions are worked out anew when calendars are next brought in step; only those with a break are written.
DELETE FROM records.calendars;
