"""What a person does, in a real browser on a served installation: the journeys of the dashboard, from end to end.

Forms are sent with JavaScript off. An error of the console, a report of CSP, an answer of 400 or more or a request to
another host fails the test that saw it.
"""

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import dagster as dg
import pytest

from dashboard.access import url_names
from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.brokerage.pending_commands import carry_out_pending
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.settings import PROJECT
from strades_pipelines.sharing.bundle_file import Bundle
from strades_pipelines.sharing.bundle_requests import DATA_FOLDER, carry_out_request
from strades_pipelines.supervision.bundle_request_watch import WAITING
from tests.dashboard.browser.conftest import Installation, PageOf, State, make_account
from tests.dashboard.browser.pages import PHONE, crawl, look, picture_for_docs, violations
from tests.dashboard.browser.sharing import share_bundle, store_body
from tests.dashboard.browser.watching import Watched, sign_in, sign_up
from tests.dashboard.browser.world import NOW, SERIES, refusing_connections, rows_of
from tests.dashboard.conftest import PASSWORD, totp
from tests.end_to_end.graphql import Webserver
from tests.sharing.conftest import bundle, key, shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["bundle", "key", "shop"]
CHOICES = "SELECT version, instruments, chosen_by FROM trading.asset_choices ORDER BY version"
OVERRIDES = "SELECT schedule, cron, requested_by FROM ops.schedule_overrides"
CRON = """{ scheduleOrError(scheduleSelector: {repositoryLocationName: "strades", repositoryName: "__repository__",
    scheduleName: "yahoo_schedule"}) { ... on Schedule { cronSchedule } } }"""
STOPS = "document.querySelectorAll('a[href], button, input, select, textarea, summary, .wide').length"
STARTS = (
    *("/", "/search/?q=BTC", "/notations/write/?kind=listing&key=11", "/account/password/"),
    "/data/records/candles/rows.csv?own_use=1",  # a form asks for the licence
)
# Addresses of a moment: a form that follows another one, a token, what somebody must have asked for before.
OF_A_MOMENT = {
    *("account_inactive", "account_login", "account_logout", "account_reauthenticate", "account_signup", "invitation"),
    *("mfa_authenticate", "mfa_reauthenticate", "mfa_activate_totp", "mfa_generate_recovery_codes"),
    *("automation_request", "run", "run_again", "run_cancel", "command", "resume", "data_request", "data_bytes"),
    *("flatten", "order_cancel", "data_answer", "calendar_feed", "calendar_revoke", "choice_save", "person_change"),
    *("digest_confirm", "digest_stop"),  # of a mail: test_community.py opens one
    *("automation_resume", "connection_end", "health", "data_restore", "openid_sign_in", "openid_callback"),
    *("openid_connect", "openid_disconnect", "openid_again", "mfa_login_webauthn", "mfa_reauthenticate_webauthn"),
    *("mfa_edit_webauthn", "mfa_remove_webauthn", "account_set_password", "live_request", "live_approve"),
    *("live_revoke", "dagster_access", "docs_access"),
    *("relations_columns", "relations_node"),  # the 4D view's script asks for these
    *("shop_ask", "shop_state", "shop_answer"),  # of who has not got a bundle, and of its owner
    # Of people who know each other: test_community.py opens these.
    *("contact_act", "organization", "organization_act", "organization_join", "thread", "thread_act", "thread_export"),
    *("meeting", "meeting_act"),
}
SIGNED_OUT = ("/account/sign-in/", "/account/sign-up/", "/account/sign-in/?next=/markets/")
ASKS_DAGSTER = {
    *("automation", "automation_run", "automation_pause", "automation_resume", "automation_move"),
    *("automation_request", "run", "run_again"),
}
# Whether there is a run to cancel depends on the second, and it may have ended when its page is opened.
WHILE_A_RUN_GOES_ON = frozenset({"run_cancel"})


def test_by_keyboard_from_an_invitation_to_the_bytes_of_a_decision(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    people = page_of(admin, script=False)
    people.goto("/people/")
    people.page.select_option("form[action$='invitations/'] select", "trader")
    people.send("text=Make an invitation")
    invitation = people.page.inner_text("#invitation")

    bob = page_of()
    page = bob.page
    page.goto(invitation)
    for name, text in (("username", "bob"), ("password1", PASSWORD), ("password2", PASSWORD)):
        bob.tab_to(name=name)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{installation.url}/")
    _skip_link_and_no_trap(bob)
    for href in ("/settings/", "/account/second-factor/", "/account/second-factor/app/"):
        _open(bob, href)
    bob.tab_to(name="password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#secret")
    bob.tab_to(name="code")
    page.keyboard.type(totp(page.inner_text("#secret")))
    page.keyboard.press("Enter")
    page.wait_for_selector("#codes")

    for href in ("/start/", "/choice/"):
        _open(bob, href)
    bob.tab_to(name="chosen")
    page.keyboard.press("Tab")
    bob.tab_to(name="chosen")
    page.keyboard.press("Space")  # the second box, that of ETH_USDT, was checked
    bob.tab_to(name="reason")
    page.keyboard.type("no ether today")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=no ether today")
    assert rows_of(installation.database, CHOICES) == [(1, ["gateio:BTC_USDT"], "dashboard:bob")]

    # Two clicks from a figure to its bytes; the third saves them.
    _open(bob, "/")
    bob.tab_to(text="why")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Why this trade")
    bob.tab_to(href="/bodies/1/")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=the stored bytes still have this hash")
    bob.tab_to(href="/bodies/1/download/")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.suggested_filename == "fetch-1.bin"


def _open(person: Watched, href: str) -> None:
    """Follow a link with the keyboard."""
    person.tab_to(href=href)
    with person.page.expect_navigation():
        person.page.keyboard.press("Enter")


def _skip_link_and_no_trap(person: Watched) -> None:
    page = person.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('content').contains(document.activeElement)")
    steps = 0
    while page.evaluate("document.activeElement !== document.body"):
        page.keyboard.press("Tab")
        steps += 1
        assert steps <= page.evaluate(STOPS), "Tab does not leave the page"


def test_halt_and_resume(installation: Installation, admin: State, page_of: PageOf) -> None:
    watched = page_of(admin, script=False)
    page = watched.page
    with connect(installation.database) as trading:
        for kind, state in (("halt", "halted"), ("resume", "resumed")):
            watched.goto("/wallets/paper/")
            watched.follow(f'main a[href^="/{kind}/"]')
            page.select_option("#id_scope", "wallet:paper")
            page.fill("#id_reason", "a look by myself")
            page.keyboard.press("Enter")
            page.wait_for_url("**/commands/*/")
            assert current_state(trading, "paper") == "halted"
            carry_out_pending(trading, clock=lambda: NOW)
            page.wait_for_selector(f"text=done: {state}")  # the page looks again by itself
        assert current_state(trading, "paper") == "active"


def test_dagster_keeps_another_time_of_a_schedule(installation: Installation, admin: State, page_of: PageOf) -> None:
    watched = page_of(admin, script=False)
    page = watched.page
    watched.goto("/automation/")
    watched.follow('a[href="/automation/yahoo_schedule/move/"]')
    page.fill("#id_cron", "15 22 * * *")
    page.click("text=Show when it fires")
    _send(watched, "the source is late")
    page.wait_for_selector("text=in force")
    assert rows_of(installation.database, OVERRIDES) == [("yahoo_schedule", "15 22 * * *", "dashboard:ada")]
    kept = Webserver(installation.dagster).ask(CRON)["scheduleOrError"]
    assert kept == {"cronSchedule": "15 22 * * *"}
    watched.goto("/automation/")
    assert "15 22 * * *" in page.inner_text("main")


def _send(person: Watched, reason: str) -> None:
    person.page.fill("form[method=post] [name=reason]", reason)
    person.send("main form[method=post] button.primary")


def test_a_gap_is_closed_by_a_backfill(installation: Installation, admin: State, page_of: PageOf) -> None:
    watched = page_of(admin, script=False)
    page = watched.page
    watched.goto("/states/")
    watched.follow("text=Fix 7 missing bars")
    _send(watched, "a week is missing")
    page.wait_for_url("**/automation/requests/*/")
    with dg.DagsterInstance.from_config(str(installation.dagster_home)) as instance:
        [backfill] = instance.get_backfills()
    assert backfill.tags["strades/requested_by"] == "dashboard:ada"
    assert backfill.backfill_id in page.inner_text("main")
    assert "rawsources/yahoo" in page.inner_text("main")


def test_a_correction_and_what_stood_before_it_are_both_told_by_the_clock(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    watched = page_of(admin, script=False)
    page = watched.page
    watched.goto("/data/records/observations/")
    watched.follow("main tbody a:text-is('row') >> nth=-1")  # the newest quarter
    watched.follow("text=propose a correction")
    page.fill("#id_value", "8.5")
    page.fill("#id_known_on", NOW.date().isoformat())
    _send(watched, "the bureau's table says so")
    watched.send("text=Accept")
    sources = load_sources(PROJECT / "Sources.json")
    [outcome] = carry_out_requests(installation.database, sources, clock=lambda: NOW).values()
    assert outcome == "done: records.observations: 0 new, 1 revised"
    told = {}
    for as_of in ("2024-01-02T08:59", ""):
        watched.goto(f"/statistics/?as_of={as_of}")
        told[as_of] = page.inner_text(f"main tr:has-text('{SERIES}') .num >> nth=0")
    assert told == {"2024-01-02T08:59": "2", "": "8.5"}


def test_a_bundle_is_published_verified_and_installed_by_another_and_a_flipped_byte_is_told(
    installation: Installation, admin: State, page_of: PageOf, bundle: Bundle, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / DATA_FOLDER).mkdir()
    shutil.copy(shop / "wave.csv", tmp_path / DATA_FOLDER)
    (tmp_path / "hold.zip").write_bytes(bundle.body)
    make_account(installation.database, "heidi", "analyst")
    heidi, ada = page_of(script=False), page_of(admin, script=False)
    sign_in(heidi.page, installation.url, "heidi")
    heidi.goto("/shop/")
    heidi.follow("text=Share a bundle")
    heidi.page.set_input_files("#id_file", tmp_path / "hold.zip")
    heidi.send("text=Keep as a draft")
    ada.goto("/shop/")
    assert "Holds two" not in ada.page.inner_text("main")
    heidi.send("button:text-is('Publish')")

    page = ada.page
    ada.goto("/shop/")
    assert "unverified" in page.inner_text("main tr:has-text('Holds two')")
    ada.follow("text=hold 1.0.0")
    ada.send("text=Get it, free")
    with connect(installation.database) as connection:

        def carry_out() -> str | None:
            [request_id] = connection.execute(WAITING).fetchone() or [0]
            return carry_out_request(connection, request_id, tmp_path, world="sandbox", clock=lambda: NOW)

        ada.send("button:text-is('Verify')")
        assert carry_out() == "verified"
        page.wait_for_selector("header >> text=✓ verified")  # the page looks again by itself
        ada.follow("a:text-is('Install')")
        assert "says what to hold" in page.inner_text("main")
        page.check("#id_read")
        ada.send("button:text-is('Install')")
        assert carry_out() == "installed"
        page.wait_for_selector("text=✓ installed")
        picture_for_docs(page, "shop")
        assert len(list(tmp_path.glob("bundles/*/hold-1.0.0/code/hold.py"))) == 1

        flipped = bytearray(bundle.body)
        flipped[flipped.index(b"account.target")] ^= 1
        store_body(installation.database, bundle, bytes(flipped))
        ada.send("button:text-is('Verify')")
        assert carry_out() == "differs"
        page.wait_for_selector("header >> text=■ differs")
        assert "code/hold.py" in page.inner_text("main")
    store_body(installation.database, bundle, bundle.body)


def test_a_passkey_is_made_and_signs_in_alone_and_as_the_second_factor(
    installation: Installation, admin: State, page_of: PageOf, browser: "Browser"
) -> None:
    people = page_of(admin, script=False)
    people.goto("/people/")
    people.send("text=Make an invitation")
    place = installation.url.replace("127.0.0.1", "localhost")  # a browser makes a passkey for a name, not for a number
    invitation = people.page.inner_text("#invitation").replace("127.0.0.1", "localhost")
    with browser.new_context() as context:
        watched = Watched(context.new_page(), place)
        page = watched.page
        device = context.new_cdp_session(page)
        device.send("WebAuthn.enable", {"enableUI": False})
        key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options = {**key, "isUserVerified": True, "automaticPresenceSimulation": True}
        device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        sign_up(page, invitation, "grace")
        page.goto(f"{place}/account/second-factor/passkeys/new/")
        page.check("#id_passwordless")
        page.fill("#id_name", "laptop")
        page.click("#passkey")
        page.wait_for_url(f"{place}/account/second-factor/")
        assert "laptop" in page.inner_text("main")
        for is_second_factor in (False, True):
            watched.send("text=Sign out")
            page.wait_for_url(f"{place}/account/sign-in/")
            if is_second_factor:
                page.fill("#id_login", "grace")
                page.fill("#id_password", PASSWORD)
                page.click("main button.primary")
                page.wait_for_url(f"{place}/account/second-factor/sign-in/")
            page.click("#passkey")
            page.wait_for_url(f"{place}/")
            assert page.title() == "Today · Strades"
        assert watched.wrong == []


def test_today_reads_itself_again_while_it_is_seen_and_nobody_is_at_work_in_it(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    today = page_of(admin)
    page = today.page
    page.clock.install()  # so that a quarter of a minute is no wait
    today.goto("/")
    page.wait_for_selector("#live-pause:visible")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def quarter_of_a_minute() -> int:
        with page.expect_response(lambda answer: answer.url == f"{today.url}/") as answer:
            page.clock.run_for(15_500)
        return answer.value.status

    def quarter_of_a_minute_without_a_request() -> None:
        asked.clear()
        page.clock.run_for(15_500)
        page.wait_for_timeout(500)  # what is asked for is asked for at once
        assert asked == []

    assert quarter_of_a_minute() == 304
    with connect(installation.database) as connection:
        connection.execute("UPDATE trading.wallets SET state_reason = 'a <i>test</i>', state = 'halted'")
        connection.commit()
        assert quarter_of_a_minute() == 200
        page.wait_for_selector("#live >> text=a <i>test</i>")
        page.wait_for_selector("#live-halts >> text=halted")
        assert page.locator("#live-band").count() == 1
        connection.execute("UPDATE trading.wallets SET state_reason = NULL, state = 'active'")
        connection.commit()
    page.focus("#live a >> nth=0")
    quarter_of_a_minute_without_a_request()
    page.evaluate("document.activeElement.blur()")
    assert quarter_of_a_minute() == 200
    page.click("#live-pause")
    quarter_of_a_minute_without_a_request()


@pytest.fixture(scope="module")
def addresses(installation: Installation, admin: State, browser: "Browser", bundle: Bundle) -> dict[str, str]:
    """An address for each page, by the name of its URL: whatever links lead an admin to."""
    share_bundle(installation.database, bundle, holder="ada")
    with browser.new_context(storage_state=admin, ignore_https_errors=True) as context:
        found, posted = crawl(context.request, installation.url, STARTS, WHILE_A_RUN_GOES_ON)
    missing = url_names() - found.keys() - posted - OF_A_MOMENT
    assert missing == set(), "no link leads to these pages; add an address to STARTS"
    return found


def test_a_theme_changes_colours_alone() -> None:
    """So that what a page is checked for in one theme holds in the other but for its colours."""
    sheet = (PROJECT / "dashboard" / "static" / "dashboard" / "strades.css").read_text()
    themed = re.findall(r"\[data-theme[^{]*\{([^}]*)\}", sheet)
    assert len(themed) == 2
    for declarations in themed:
        names = {line.split(":")[0].strip() for line in declarations.split(";") if line.strip()}
        assert {name for name in names if not name.startswith("--")} == {"color-scheme"}


@pytest.mark.slow
def test_every_page_keeps_nobody_out_speaks_french_and_fits_a_phone(
    addresses: dict[str, str], admin: State, page_of: PageOf
) -> None:
    problems: list[str] = []
    paints: dict[str, float] = {}
    for state, paths in ((admin, tuple(addresses.values())), (None, SIGNED_OUT)):
        desk, phone = page_of(state), page_of(state, viewport=PHONE)
        phone.goto(paths[0])
        phone.send('button[value="fr"]')
        for path in paths:
            desk.goto(path)
            phone.goto(path)
            found, paints[path] = look(desk.page, phone.page, path, has_known_frame=path != paths[0])
            problems += found
    print("largest paints in ms:", sorted(paints.items(), key=lambda one: -one[1])[:5])
    assert problems == [], "\n".join(problems)


def test_while_the_database_is_down_pages_say_so_and_come_back(
    installation: Installation, admin: State, page_of: PageOf
) -> None:
    watched = page_of(admin)
    database = urlsplit(installation.database).path[1:]
    with refusing_connections(os.environ["STRADES_TEST_SERVER"], database):
        for path in ("/", "/wallets/paper/", "/health/"):
            assert watched.goto(path) == 503, path
            assert "The database does not answer" in watched.page.inner_text("h1")
        assert violations(watched.page) == []
    assert {line for line in watched.wrong if "503" not in line} == set()
    watched.wrong.clear()
    assert watched.goto("/") == 200


def test_without_dagster_and_without_javascript_every_page_works(
    installation: Installation, addresses: dict[str, str], admin: State, page_of: PageOf
) -> None:
    """The last test of the file: nothing starts Dagster again."""
    installation.stop_dagster()
    watched = page_of(admin, script=False)
    for name, path in addresses.items():
        status = watched.goto(path)
        says_so = "Dagster is not reachable" in watched.page.inner_text("main")
        assert (status in (200, 503), says_so) == (True, name in ASKS_DAGSTER), (path, status)
        assert len(watched.page.inner_text("main")) > 40, path
    watched.wrong = [line for line in watched.wrong if "503" not in line]
