"""Every URL of the dashboard. Who may open it stands in `access.MATRIX`."""

from allauth.account import views as account
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.db.transaction import atomic  # a change of an account and its row of the audit are one
from django.urls import path

from dashboard.accounts import openid, people, proxy_answers, views
from dashboard.accounts import passkeys as own_passkeys
from dashboard.choice import assets, start
from dashboard.community import contact_views, digest_views, feed, organization_views, own_data_views
from dashboard.community.wallet_views import wallet_sharing
from dashboard.core.health import health
from dashboard.core.live import with_scripts
from dashboard.datamanager import exclusions, software, tables
from dashboard.datamanager import requests as data_requests
from dashboard.historic import views as historic
from dashboard.meetings import views as planning
from dashboard.messaging import views as messaging
from dashboard.notations.views import notation_write, notations
from dashboard.overall_data import markets, news, reports, states, statistics
from dashboard.relations4d import views as relations4d
from dashboard.results import bots, comparison, exports, performance, returns, round_trips, verification, wallets
from dashboard.scheduler import automation, backfills, feeds, moving, requests
from dashboard.scheduler.agenda import agenda
from dashboard.search.views import search
from dashboard.shop import holding
from dashboard.shop import views as shop
from dashboard.today.views import today
from dashboard.trades import bodies, commands, decisions, live_wallets, orders

urlpatterns = [
    path("", today, name="today"),
    path("decisions/<str:decision_id>/", decisions.decision, name="decision"),
    path("trace/<str:identity>/", decisions.trace, name="trace"),
    path("bodies/<int:fetch_id>/", bodies.body, name="body"),
    path("bodies/<int:fetch_id>/download/", bodies.download, name="body_download"),
    path("markets/", markets.markets, name="markets"),
    path("markets/<int:listing_id>/", markets.market, name="market"),
    path("states/", states.states, name="states"),
    path("news/", news.news, name="news"),
    path("news/article/", news.article, name="article"),
    path("statistics/", statistics.statistics, name="statistics"),
    path("statistics/series/", statistics.series, name="series"),
    path("reports/", reports.reports, name="reports"),
    path("reports/filing/", reports.filing, name="filing"),
    path("notations/", notations, name="notations"),
    path("notations/write/", notation_write, name="notation_write"),
    path("wallets/", wallets.wallets, name="wallets"),
    path("wallets/<path:name>/fills.csv", exports.fills, name="wallet_fills"),
    path("wallets/<path:name>/equity.csv", exports.equity, name="wallet_equity"),
    path("wallets/<path:name>/round-trips.csv", exports.round_trips, name="wallet_trades_csv"),
    path("wallets/<path:name>/returns.csv", exports.returns, name="wallet_returns_csv"),
    path("wallets/<path:name>/slippage.csv", exports.slippage, name="wallet_slippage_csv"),
    path("wallets/<path:name>/performance/", performance.performance, name="wallet_performance"),
    path("wallets/<path:name>/round-trips/", round_trips.round_trips, name="wallet_trades"),
    path("wallets/<path:name>/returns/", returns.returns, name="wallet_returns"),
    path("wallets/<path:name>/comparison/", comparison.comparison, name="wallet_comparison"),
    path("wallets/<path:name>/verification/", verification.verification, name="wallet_verification"),
    path("wallets/<path:name>/sharing/", wallet_sharing, name="wallet_sharing"),
    # `path` takes slashes too: before the others this one would take their pages.
    path("wallets/<path:name>/", wallets.wallet, name="wallet"),
    path("bots/", bots.bots, name="bots"),
    path("historic/", historic.calendar, name="historic"),
    path("historic/<str:day>/", historic.day, name="historic_day"),
    path("agenda/", agenda, name="agenda"),
    path("automation/", automation.automation, name="automation"),
    path("automation/requests/", requests.request_list, name="automation_requests"),
    path("automation/requests/<uuid:key>/", requests.request_page, name="automation_request"),
    path("automation/backfill/", backfills.backfill, name="backfill"),
    path("automation/runs/<str:run_id>/", automation.run, name="run"),
    path("automation/runs/<str:run_id>/cancel/", automation.run_act, {"kind": "cancel"}, name="run_cancel"),
    path("automation/runs/<str:run_id>/again/", automation.run_act, {"kind": "again"}, name="run_again"),
    path("automation/<str:name>/run/", automation.automation_act, {"kind": "run"}, name="automation_run"),
    path("automation/<str:name>/pause/", automation.automation_act, {"kind": "pause"}, name="automation_pause"),
    path("automation/<str:name>/resume/", automation.automation_act, {"kind": "resume"}, name="automation_resume"),
    path("automation/<str:name>/move/", moving.move, name="automation_move"),
    path("calendar/", feeds.calendar, name="calendar"),
    path("calendar/new/", feeds.calendar_create, name="calendar_create"),
    path("calendar/<int:feed_id>/revoke/", feeds.calendar_revoke, name="calendar_revoke"),
    path("calendar/<str:token>.ics", feeds.calendar_feed, name="calendar_feed"),
    path("4d/", relations4d.relations, name="relations"),
    path("4d/columns/", relations4d.columns, name="relations_columns"),
    path("4d/node/", relations4d.node, name="relations_node"),
    path("shop/", shop.shop, name="shop"),
    path("shop/new/", shop.new, name="shop_new"),
    path("shop/credits/", holding.give_credits, name="shop_credits"),
    path("shop/<int:item_id>/", shop.item, name="shop_item"),
    path("shop/<int:item_id>/state/", shop.state, name="shop_state"),
    path("shop/<int:item_id>/report/", shop.report, name="shop_report"),
    path("shop/<int:item_id>/hide/", shop.hide, name="shop_hide"),
    path("shop/<int:item_id>/ask/", holding.ask, name="shop_ask"),
    path("shop/<int:item_id>/answer/", holding.answer, name="shop_answer"),
    path("shop/<int:item_id>/bundle.zip", holding.bundle, name="shop_bundle"),
    path("shop/<int:item_id>/verify/", holding.verify, name="shop_verify"),
    path("shop/<int:item_id>/install/", holding.install, name="shop_install"),
    path("search/", search, name="search"),
    path("community/", feed.community, name="community"),
    path("community/seen/", feed.feed_seen, name="feed_seen"),
    path("community/profile/", feed.profile_save, name="profile_save"),
    path("community/digest/", digest_views.digest_save, name="digest_save"),
    path("digest/confirm/<str:token>/", digest_views.digest_confirm, name="digest_confirm"),
    path("digest/stop/<str:token>/", digest_views.digest_stop, name="digest_stop"),
    path("contacts/", contact_views.contacts, name="contacts"),
    path("contacts/act/", contact_views.contact_act, name="contact_act"),
    path("contacts/contacts.vcf", contact_views.contact_cards, name="contact_cards"),
    path("contacts/file/", contact_views.contact_cards_read, name="contact_cards_read"),
    path("organizations/", organization_views.organizations, name="organizations"),
    path("organizations/<int:organization_id>/", organization_views.organization, name="organization"),
    path("organizations/<int:organization_id>/act/", organization_views.organization_act, name="organization_act"),
    path("organizations/join/<str:token>/", organization_views.organization_join, name="organization_join"),
    path("messages/", messaging.threads, name="threads"),
    path("messages/new/", messaging.thread_new, name="thread_new"),
    path("messages/reports/", messaging.reports, name="message_reports"),
    path("messages/<int:thread_id>/", messaging.thread, name="thread"),
    path("messages/<int:thread_id>/act/", messaging.thread_act, name="thread_act"),
    path("messages/<int:thread_id>/messages.json", messaging.thread_export, name="thread_export"),
    path("events/", planning.meetings, name="meetings"),
    path("events/new/", planning.meeting_new, name="meeting_new"),
    path("events/events.ics", planning.meetings_file, name="meetings_file"),
    path("events/file/", planning.meetings_read, name="meetings_read"),
    path("events/<int:meeting_id>/", planning.meeting, name="meeting"),
    path("events/<int:meeting_id>/act/", planning.meeting_act, name="meeting_act"),
    path("data/", tables.tables, name="tables"),
    # Before the tables, whose pattern some of these fit, too.
    path("data/software/", software.software, name="software"),
    path("data/software/report/", software.bug_report, name="bug_report"),
    path("data/changes/", data_requests.requests, name="data_requests"),
    path("data/changes/file/", data_requests.file, name="data_file"),
    path("data/changes/record-<str:kind>/", data_requests.record, name="data_record"),
    path("data/changes/exclude-<str:name>/", exclusions.exclude, name="data_exclude"),
    path("data/changes/restore-<str:name>/", exclusions.restore, name="data_restore"),
    path("data/changes/<uuid:key>/", data_requests.data_request, name="data_request"),
    path("data/changes/<uuid:key>/bytes/", data_requests.download, name="data_bytes"),
    path("data/changes/<uuid:key>/answer/", data_requests.answer, name="data_answer"),
    path("data/<str:schema>/<str:name>/", tables.table, name="table"),
    path("data/<str:schema>/<str:name>/row/", tables.row, name="table_row"),
    path("data/<str:schema>/<str:name>/rows.<str:kind>", tables.export, name="table_export"),
    path("halt/", commands.halt, name="halt"),
    path("resume/", commands.resume, name="resume"),
    path("live/", live_wallets.live, name="live"),
    path("live/request/", live_wallets.live_request, name="live_request"),
    path("live/approve/", live_wallets.live_approve, name="live_approve"),
    path("live/revoke/", live_wallets.live_revoke, name="live_revoke"),
    path("commands/", commands.commands, name="commands"),
    path("commands/<uuid:key>/", commands.command, name="command"),
    path("start/", start.start, name="start"),
    path("choice/", assets.assets, name="choice"),
    path("choice/save/", assets.save, name="choice_save"),
    path("flatten/", commands.flatten, name="flatten"),
    path("orders/<str:intent_id>/cancel/", orders.cancel, name="order_cancel"),
    path("settings/", views.settings, name="settings"),
    path("settings/connections/<int:connection_id>/end/", views.connection_end, name="connection_end"),
    path("settings/data.json", own_data_views.own_data_file, name="own_data"),
    path("settings/erase/", own_data_views.account_erase, name="account_erase"),
    path("preferences/", views.preferences, name="preferences"),
    path("people/", people.people, name="people"),
    path("people/<int:user_id>/", people.person_change, name="person_change"),
    path("people/invitations/", people.invitation_create, name="invitation_create"),
    path("invitation/<str:token>/", views.invitation, name="invitation"),
    path("account/sign-in/", with_scripts(account.login), name="account_login"),
    path("account/sign-out/", account.logout, name="account_logout"),
    path("account/sign-up/", account.signup, name="account_signup"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("account/openid/", openid.openid_sign_in, name="openid_sign_in"),
    path("account/openid/callback/", openid.openid_callback, name="openid_callback"),
    path("account/openid/again/", openid.openid_again, name="openid_again"),
    path("account/openid/connect/", openid.openid_connect, name="openid_connect"),
    path("account/openid/disconnect/", openid.openid_disconnect, name="openid_disconnect"),
    path("account/again/", account.reauthenticate, name="account_reauthenticate"),
    path("account/password/", atomic(account.password_change), name="account_change_password"),
    path("account/password/new/", atomic(account.password_set), name="account_set_password"),
    path("account/second-factor/", factors.index, name="mfa_index"),
    path("account/second-factor/sign-in/", with_scripts(factors.authenticate), name="mfa_authenticate"),
    path("account/second-factor/again/", factors.reauthenticate, name="mfa_reauthenticate"),
    path("account/second-factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", atomic(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("account/second-factor/passkeys/", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("account/second-factor/passkeys/new/", with_scripts(atomic(passkeys.add_webauthn)), name="mfa_add_webauthn"),
    path("account/second-factor/passkeys/<int:pk>/", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
    path(
        "account/second-factor/passkeys/<int:pk>/remove/", atomic(passkeys.remove_webauthn), name="mfa_remove_webauthn"
    ),
    path(
        "account/second-factor/passkeys/again/",
        with_scripts(passkeys.reauthenticate_webauthn),
        name="mfa_reauthenticate_webauthn",
    ),
    path("account/sign-in/passkey/", own_passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("account/second-factor/codes/", recovery.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "account/second-factor/codes/new/", atomic(recovery.generate_recovery_codes), name="mfa_generate_recovery_codes"
    ),
    path("account/second-factor/codes/file/", recovery.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("auth/dagster/", proxy_answers.dagster, name="dagster_access"),
    path("auth/docs/", proxy_answers.docs, name="docs_access"),
    path("health/", health, name="health"),
]
handler500 = "dashboard.core.failures.failure"
