"""Who sees which wallet that has an owner, and who operates it: row security of the layers reads it (SQL 0082)."""

from django.db import migrations

MAKE = """
    CREATE VIEW wallet_access AS
    WITH now_members AS (
        SELECT organization_id, person_id, role IN ('owner', 'trader') AS may_operate
        FROM members WHERE ended_at IS NULL
    ), owned AS (
        SELECT * FROM wallet_owners WHERE ended_at IS NULL
    ), shared AS (
        SELECT o.wallet, s.person_id, s.organization_id, s.level = 'operate' AS may_operate
        FROM wallet_shares AS s INNER JOIN owned AS o ON o.id = s.owner_id WHERE s.ended_at IS NULL
    )
    SELECT access.wallet, access.person_id, bool_or(access.may_operate) AS may_operate
    FROM (
        SELECT o.wallet, o.person_id, true AS may_operate FROM owned AS o WHERE o.person_id IS NOT NULL
        UNION ALL
        SELECT o.wallet, m.person_id, m.may_operate
        FROM owned AS o INNER JOIN now_members AS m ON m.organization_id = o.organization_id
        UNION ALL
        SELECT s.wallet, s.person_id, s.may_operate FROM shared AS s WHERE s.person_id IS NOT NULL
        UNION ALL
        SELECT s.wallet, m.person_id, s.may_operate AND m.may_operate
        FROM shared AS s INNER JOIN now_members AS m ON m.organization_id = s.organization_id
        UNION ALL
        SELECT o.wallet, u."UserID", true FROM owned AS o CROSS JOIN user_logging_info AS u WHERE u.role = 'admin'
    ) AS access
    GROUP BY access.wallet, access.person_id
"""


class Migration(migrations.Migration):
    """Makes the view."""

    dependencies = (("community", "0001_initial"), ("accounts", "0001_initial"))
    operations = (migrations.RunSQL(MAKE, "DROP VIEW wallet_access"),)
