"""Verification of the audit of account changes."""

from dashboard.gateway.reading import snapshot, snapshot_connection
from strades_pipelines.database.audit import AuditReport, verify_account_changes

# A viewer can add 60 rows a minute by creating and revoking calendar addresses: hashing all rows at each visit would
# make *People* slower without bound. `strades doctor` verifies them all.
NEWEST_ROWS = 1_000


def read_audit_report() -> AuditReport:
    """Verify the newest rows of the hash chain `audit.account_changes`."""
    with snapshot():
        return verify_account_changes(snapshot_connection(), NEWEST_ROWS)
