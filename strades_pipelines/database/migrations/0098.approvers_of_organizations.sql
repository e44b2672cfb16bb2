-- depends: 0090.unknown_sides

-- A wallet's owner may demand that who approves live trading is a member of an organization, with a role. The rows are the dashboard's
-- (dashboard.approver_rules, which count while their owner owns the wallet); that they are kept is this trigger's, as with all of an approval.
INSERT INTO ops.event_types VALUES
('approver_demanded', 'An approver of live trading has to be a member of an organization'),
('approver_demand_ended', 'An approver of live trading no longer has to be a member of an organization');

-- Whether an account, dashboard:NAME, may approve live trading of a wallet by that rule; true without one. A role includes those above it.
CREATE FUNCTION trading.may_approve(name text, account text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF to_regclass('dashboard.approver_rules') IS NULL THEN
        RETURN true;
    END IF;
    RETURN NOT EXISTS (
        SELECT FROM dashboard.approver_rules AS r INNER JOIN dashboard.wallet_owners AS o ON r.owner_id = o.id
        WHERE o.wallet = trading.owned_name(name) AND o.ended_at IS NULL AND r.ended_at IS NULL AND NOT EXISTS (
            SELECT FROM dashboard.members AS m INNER JOIN dashboard.user_logging_info AS u ON m.person_id = u."UserID"
            WHERE m.organization_id = r.organization_id AND m.ended_at IS NULL AND account = 'dashboard:' || u."Pseudo"
                AND array_position(ARRAY['viewer', 'analyst', 'trader', 'owner'], m.role::text)
                >= array_position(ARRAY['viewer', 'analyst', 'trader', 'owner'], r.role::text)
        )
    );
END $$;

CREATE FUNCTION trading.check_live_approver() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked_wallet text;
BEGIN
    SELECT wallet INTO STRICT asked_wallet FROM trading.live_requests WHERE request_id = new.request_id;
    IF NOT trading.may_approve(asked_wallet, new.approved_by) THEN
        RAISE EXCEPTION 'the owner of the wallet demands an approver with another role in an organization' USING ERRCODE = 'check_violation';
    END IF;
    -- Whoever asks is no second pair of eyes, also where the installation is one person's.
    IF new.is_one_person AND NOT trading.may_approve(asked_wallet, '') THEN
        RAISE EXCEPTION 'the owner of the wallet demands another person than who asked' USING ERRCODE = 'check_violation';
    END IF;
    RETURN new;
END $$;
-- Of the pages, which are the only way to approve: the application's role does not read the dashboard's schema, and owns this table anyway.
CREATE TRIGGER by_an_approver BEFORE INSERT ON trading.live_approvals
FOR EACH ROW WHEN (current_user = 'strades_dashboard') EXECUTE FUNCTION trading.check_live_approver();
