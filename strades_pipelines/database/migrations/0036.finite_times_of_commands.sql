-- depends: 0034.asked_commands

-- The role of the dashboard says itself when it asked: a time that Python cannot read would keep every later command, a
-- resume too, from being carried out.
ALTER TABLE trading.commands
ADD CONSTRAINT requested_at_is_finite CHECK (isfinite(requested_at));
