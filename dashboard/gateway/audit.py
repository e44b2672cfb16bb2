"""Whether what was done to accounts is as it was written."""

from dashboard.gateway.reading import snapshot, snapshot_connection
from strades_pipelines.database.audit import AuditReport, verify_account_changes


def read_audit_report() -> AuditReport:
    """The chain of `audit.account_changes`, computed again."""
    with snapshot():
        return verify_account_changes(snapshot_connection())
