-- depends: 0045.moved_actions

-- Each event of an order marked the order for two readers of the event log and looked whether it had ended, by triggers of a
-- statement that put together and planned their SQL each time: most of what an event cost, and one is committed before an order
-- is sent. These run where there is something to mark. An order's first event, `planned`, is none of it.
DROP TRIGGER events_insert ON trading.orders;
DROP TRIGGER events_update ON trading.orders;
DROP TRIGGER inputs_update ON trading.orders;

CREATE FUNCTION trading.mark_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.changed_rows (reader, key) VALUES (tg_argv[0], ARRAY[new.intent_id]);
    RETURN NULL;
END $$;
CREATE TRIGGER order_sent AFTER UPDATE ON trading.orders FOR EACH ROW
WHEN (new.state = 'rejected' OR (new.venue_order_id IS NOT NULL AND old.venue_order_id IS NULL))
EXECUTE FUNCTION trading.mark_order('event.order_sent');
CREATE TRIGGER order_ended AFTER UPDATE ON trading.orders FOR EACH ROW
WHEN (new.state IN ('cancelled', 'replaced', 'rejected', 'expired'))
EXECUTE FUNCTION trading.mark_order('event.order_ended');

-- Of orders a strategy hears how they ended; of one that was filled after that it has heard what is no longer so.
CREATE FUNCTION trading.note_order_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trading.input_changes (subject, known_from, known_to)
    SELECT 'wallet:' || new.wallet, min(e.updated_at), max(e.updated_at)
    FROM (VALUES (old.state, old.updated_at), (new.state, new.updated_at)) AS e (state, updated_at)
    WHERE e.state IN ('cancelled', 'replaced', 'rejected', 'expired');
    RETURN NULL;
END $$;
CREATE TRIGGER inputs_update AFTER UPDATE ON trading.orders FOR EACH ROW
WHEN (
    new.state IN ('cancelled', 'replaced', 'rejected', 'expired')
    OR old.state IN ('cancelled', 'replaced', 'rejected', 'expired')
)
EXECUTE FUNCTION trading.note_order_end();
