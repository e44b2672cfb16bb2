"""Who may open what: one table, by the name of the URL. Middleware, templates, the start-up check and tests read it.

A URL that is not in the table is refused, and the dashboard does not start with one.
"""

from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.accounts.models import User
from dashboard.accounts.roles import Right, Role

ANYONE = None  # also somebody who is not signed in

MATRIX: dict[str, Role | Right | None] = {
    "health": ANYONE,
    "preferences": ANYONE,
    # What NGINX asks: they answer 401 and 403 by themselves (accounts/proxy_answers.py).
    "dagster_access": ANYONE,
    "docs_access": ANYONE,
    # Signing in and up, the second factor, and one's own account.
    "account_login": ANYONE,
    "account_signup": ANYONE,
    "account_inactive": ANYONE,
    "invitation": ANYONE,
    # Who has a mail of a digest has its address: the link in it is signed.
    "digest_confirm": ANYONE,
    "digest_stop": ANYONE,
    "mfa_authenticate": ANYONE,
    "mfa_login_webauthn": ANYONE,
    "openid_sign_in": ANYONE,
    "openid_callback": ANYONE,
    "account_logout": ANYONE,
    "account_reauthenticate": Role.VIEWER,
    "mfa_reauthenticate": Role.VIEWER,
    "mfa_reauthenticate_webauthn": Role.VIEWER,
    "account_change_password": Role.VIEWER,
    "account_set_password": Role.VIEWER,
    "openid_again": Role.VIEWER,
    "openid_connect": Role.VIEWER,
    "openid_disconnect": Role.VIEWER,
    "mfa_index": Role.VIEWER,
    "mfa_activate_totp": Role.VIEWER,
    "mfa_deactivate_totp": Role.VIEWER,
    "mfa_list_webauthn": Role.VIEWER,
    "mfa_add_webauthn": Role.VIEWER,
    "mfa_edit_webauthn": Role.VIEWER,
    "mfa_remove_webauthn": Role.VIEWER,
    "mfa_view_recovery_codes": Role.VIEWER,
    "mfa_generate_recovery_codes": Role.VIEWER,
    "mfa_download_recovery_codes": Role.VIEWER,
    "settings": Role.VIEWER,
    "connection_end": Role.VIEWER,
    # What the data says.
    "today": Role.VIEWER,
    "decision": Role.VIEWER,
    "trace": Role.VIEWER,
    "body": Role.VIEWER,
    "body_download": Role.VIEWER,
    "markets": Role.VIEWER,
    "market": Role.VIEWER,
    "states": Role.VIEWER,
    "news": Role.VIEWER,
    "article": Role.VIEWER,
    "statistics": Role.VIEWER,
    "series": Role.VIEWER,
    "reports": Role.VIEWER,
    "filing": Role.VIEWER,
    "notations": Role.VIEWER,
    "notation_write": Role.ANALYST,
    "relations": Role.VIEWER,
    "relations_columns": Role.VIEWER,
    "relations_node": Role.VIEWER,
    # Bundles of people. An item is 404 for anybody who neither owns it nor was granted it (shop).
    "shop": Role.VIEWER,
    "shop_item": Role.VIEWER,
    "shop_ask": Role.VIEWER,
    "shop_bundle": Role.VIEWER,
    "shop_report": Role.VIEWER,
    "shop_new": Role.ANALYST,
    "shop_state": Role.ANALYST,
    "shop_answer": Role.ANALYST,
    "shop_verify": Role.ANALYST,
    "shop_install": Role.ANALYST,
    "shop_hide": Role.ADMIN,
    "shop_credits": Role.ADMIN,
    "agenda": Role.VIEWER,
    "search": Role.VIEWER,
    "wallets": Role.VIEWER,
    "wallet": Role.VIEWER,
    "wallet_fills": Role.VIEWER,
    "wallet_equity": Role.VIEWER,
    "wallet_trades_csv": Role.VIEWER,
    "wallet_returns": Role.VIEWER,
    "wallet_returns_csv": Role.VIEWER,
    "wallet_slippage_csv": Role.VIEWER,
    "wallet_performance": Role.VIEWER,
    "wallet_trades": Role.VIEWER,
    "wallet_comparison": Role.VIEWER,
    "wallet_verification": Role.VIEWER,
    "bots": Role.VIEWER,
    "historic": Role.VIEWER,
    "historic_day": Role.VIEWER,
    "commands": Role.VIEWER,
    "command": Role.VIEWER,
    # What Dagster does by itself. What trades takes Right.HALT to stop and Right.RESUME to start, see scheduler.
    "automation": Role.VIEWER,
    "automation_requests": Role.VIEWER,
    "automation_request": Role.VIEWER,
    "run": Role.VIEWER,
    "run_cancel": Role.ANALYST,
    "run_again": Role.ANALYST,
    "automation_run": Role.ANALYST,
    "automation_pause": Role.ANALYST,
    "automation_resume": Role.ANALYST,
    "backfill": Role.ANALYST,
    "automation_move": Role.ADMIN,
    "calendar": Role.VIEWER,
    "calendar_create": Role.VIEWER,
    "calendar_revoke": Role.VIEWER,
    "calendar_feed": ANYONE,
    "tables": Role.VIEWER,
    "table": Role.VIEWER,
    "table_row": Role.VIEWER,
    "table_export": Role.VIEWER,
    "software": Role.VIEWER,
    "data_requests": Role.VIEWER,
    "data_request": Role.VIEWER,
    "data_file": Role.ANALYST,
    "data_record": Role.ANALYST,
    "data_exclude": Role.ANALYST,
    "data_restore": Role.ANALYST,
    # The community. What a person may do beyond that goes by contacts, memberships and shares.
    "community": Role.VIEWER,
    "feed_seen": Role.VIEWER,
    "profile_save": Role.VIEWER,
    "digest_save": Role.VIEWER,
    "contacts": Role.VIEWER,
    "contact_act": Role.VIEWER,
    "contact_cards": Role.VIEWER,
    "contact_cards_read": Role.VIEWER,
    "organizations": Role.VIEWER,
    "organization": Role.VIEWER,
    "organization_act": Role.VIEWER,
    "organization_join": Role.VIEWER,
    "wallet_sharing": Role.VIEWER,
    "threads": Role.VIEWER,
    "thread_new": Role.VIEWER,
    "thread": Role.VIEWER,
    "thread_act": Role.VIEWER,
    "thread_export": Role.VIEWER,
    "message_reports": Role.ADMIN,
    "meetings": Role.VIEWER,
    "meeting_new": Role.VIEWER,
    "meeting": Role.VIEWER,
    "meeting_act": Role.VIEWER,
    "meetings_file": Role.VIEWER,
    "meetings_read": Role.VIEWER,
    "own_data": Role.VIEWER,
    "account_erase": Role.VIEWER,
    # What stops and starts trading.
    "halt": Right.HALT,
    "resume": Right.RESUME,
    "live": Role.VIEWER,
    "live_request": Right.LIVE,
    "live_approve": Right.LIVE,
    "live_revoke": Right.HALT,
    # What a trader does with wallets.
    "start": Role.VIEWER,
    "choice": Role.VIEWER,
    "choice_save": Role.TRADER,
    "flatten": Role.TRADER,
    "order_cancel": Role.TRADER,
    # What changes something for others.
    "bug_report": Role.ADMIN,
    "data_answer": Role.ADMIN,
    "data_bytes": Role.ADMIN,
    "people": Role.ADMIN,
    "person_change": Role.ADMIN,
    "invitation_create": Role.ADMIN,
}


def allowed(user: Any, name: str) -> bool:
    """Whether somebody may open the URL of that name."""
    if name not in MATRIX:
        return False
    needed = MATRIX[name]
    return needed is ANYONE or (isinstance(user, User) and user.may(needed))


def url_names() -> set[str]:
    """The names of all URLs that are served; `?` for one without a name."""
    return set(_names(get_resolver().url_patterns))


def _names(patterns: list[URLPattern | URLResolver]) -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            names += _names(pattern.url_patterns)
        else:
            names.append(pattern.name or "?")
    return names
