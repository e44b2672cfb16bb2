"""Whether what was done to accounts is as it was written."""

from dashboard.gateway.reading import snapshot, snapshot_connection
from strades_pipelines.database.audit import AuditReport, verify_account_changes

# A viewer can add rows for ever, 60 a minute, by making and revoking addresses of calendars: with all of them hashed at
# each opening *People* would become unusable. `strades doctor` reads all.
NEWEST_ROWS = 1_000


def read_audit_report() -> AuditReport:
    """The newest rows of the chain `audit.account_changes`, computed again."""
    with snapshot():
        return verify_account_changes(snapshot_connection(), NEWEST_ROWS)
