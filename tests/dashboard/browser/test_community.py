"""Two people in two browsers: contacts, a wallet that is shared, a message with a trade, an event as of a time."""

from typing import TYPE_CHECKING

import pytest

from tests.dashboard.browser.conftest import Installation, PageOf, State
from tests.dashboard.browser.pages import PHONE, look, picture_for_docs
from tests.dashboard.browser.watching import Watched, sign_up
from tests.dashboard.browser.world import rows_of
from tests.dashboard.conftest import point_at, restored

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FILL = "SELECT fill_id FROM trading.fills WHERE wallet = 'paper' ORDER BY fill_id LIMIT 1"
AS_OF = "2024-01-02T08:59"
HIDDEN = "you may not see it, or it is not there"
EVENTS = "SELECT event_type_id, count(*) FROM ops.events WHERE starts_with(user_id, 'person:') GROUP BY 1 ORDER BY 1"


@pytest.fixture(scope="module")
def people(installation: Installation, admin: State, browser: "Browser") -> dict[str, State]:
    """Cookies of olga, a trader, and pete, a viewer, whom the admin invited."""
    found: dict[str, State] = {"ada": admin}
    for name, role in (("olga", "trader"), ("pete", "viewer")):
        with browser.new_context(storage_state=admin) as context:
            invites = Watched(context.new_page(), installation.url)
            invites.goto("/people/")
            invites.page.select_option("form[action$='invitations/'] select", role)
            invites.send("text=Make an invitation")
            invitation = invites.page.inner_text("#invitation")
        with browser.new_context() as context:
            sign_up(context.new_page(), invitation, name)
            found[name] = context.storage_state()
    return found


def stop_link(database: str, name: str) -> str:
    """The link by which the mails of a person about the feed end."""
    with restored():
        point_at(database)
        from dashboard.accounts.models import User
        from dashboard.community.digests import choose_digest, digest_of, token_of

        person = User.objects.get(pseudo=name)
        choose_digest(person, every="week", address=f"{name}@example.org", language="en")
        found = digest_of(person)
        assert found is not None
        return f"/digest/stop/{token_of(found, 'stop')}/"


def press(person: Watched, act: str, name: str) -> None:
    """Press a button of the contacts beside somebody's name."""
    person.goto("/contacts/")
    person.send(f"main tr:has-text('{name}') button[value='{act}']")


def test_two_people_share_a_wallet_a_message_and_a_time(
    installation: Installation, people: dict[str, State], page_of: PageOf
) -> None:
    ada, olga, pete = (page_of(people[name], script=False) for name in ("ada", "olga", "pete"))
    for person in (olga, pete):
        person.goto("/community/")
        person.page.check("#id_is_listed")
        person.send("main form[action$='profile/'] button")
    press(olga, "request", "pete")
    pete.goto("/markets/")
    assert "1 new" in pete.page.inner_text("nav.side").replace("\n", " ")
    press(pete, "accept", "olga")
    assert "olga" in pete.page.inner_text("main section:has-text('Your contacts') table")

    ada.goto("/wallets/paper/")
    ada.follow("text=Who sees it")
    ada.page.select_option("#id_to", label="olga")
    ada.send("button[value='give']")
    pete.goto("/wallets/")
    assert "/wallets/paper/" not in pete.page.content()
    olga.goto("/wallets/")
    assert "/wallets/paper/" in olga.page.content()

    [(fill,)] = rows_of(installation.database, FILL)
    olga.goto("/contacts/")
    olga.follow("main a:has-text('Write')")
    olga.page.fill("#id_title", "About a trade")
    olga.send("main button.primary")
    olga.page.fill("#id_text", f"@pete **look** at {fill} <b>please</b>")
    olga.send("main button:text-is('Send')")
    assert "gateio:BTC_USDT" in olga.page.inner_text("#messages .record")
    thread = olga.page.url.removeprefix(installation.url)
    pete.goto("/community/")
    pete.follow("main a:has-text('open it') >> nth=0")
    assert pete.page.url.removeprefix(installation.url) == thread
    assert HIDDEN in pete.page.inner_text("#messages .record")
    assert "BTC_USDT" not in pete.page.inner_text("main")
    assert pete.page.inner_text("#messages strong") == "look"
    assert "<b>please</b>" in pete.page.inner_text("#messages")

    olga.goto("/wallets/paper/sharing/")
    olga.page.select_option("#id_to", label="pete")
    olga.page.select_option("#id_level", "view")
    olga.send("button[value='share']")
    pete.goto(thread)
    assert "gateio:BTC_USDT" in pete.page.inner_text("#messages .record")
    picture_for_docs(pete.page, "thread")
    pete.follow("#messages .record a")
    assert fill in pete.page.inner_text("main")

    olga.goto("/events/")
    olga.follow("text=Plan an event")
    for name, text in (("title", "Study of a day"), ("starts", "2024-01-03T10:00"), ("as_of", AS_OF)):
        olga.page.fill(f"#id_{name}", text)
    olga.page.select_option("#id_people", label="pete")
    olga.send("main button.primary")
    meeting = olga.page.url.removeprefix(installation.url)
    picture_for_docs(olga.page, "event")
    pete.goto("/events/")
    pete.follow("text=Study of a day")
    pete.page.select_option("#id_answer", "yes")
    pete.send("button[value='answer']")
    states = []
    for person in (olga, pete):
        person.goto(meeting)
        person.follow("main a:text-is('Statistics')")
        assert person.page.input_value("input[name='as_of']") == AS_OF
        states.append(person.page.inner_text("main table"))
    assert states[0] == states[1]

    olga.goto("/wallets/paper/sharing/")
    olga.send("button[value='unshare']")
    pete.goto(thread)
    assert HIDDEN in pete.page.inner_text("#messages .record")
    pete.goto("/community/")
    assert "olga mentioned you in a message" in pete.page.inner_text("main")
    picture_for_docs(pete.page, "community")
    acts = dict(rows_of(installation.database, EVENTS))
    assert (acts["friend_added"], acts["wallet_shared"], acts["message_sent"], acts["event_answered"]) == (1, 1, 1, 1)


def test_pages_of_people_keep_nobody_out_speak_french_and_fit_a_phone(
    installation: Installation, people: dict[str, State], page_of: PageOf
) -> None:
    """With what the test before left, an organization and a report."""
    olga = page_of(people["olga"], script=False)
    olga.goto("/organizations/")
    olga.page.fill("#id_name", "The Desk")
    olga.send("main button.primary")
    desk = olga.page.url.removeprefix(installation.url)
    olga.page.click("summary")
    olga.page.fill("#id_title", "What we watch")
    olga.page.fill("#id_text", "only these")
    olga.page.fill("#id_instruments", "gateio:BTC_USDT, gateio:ETH_USDT")
    olga.send("button[value='note']")
    olga.send("text=Make an invitation")
    invitation = olga.page.inner_text("#invitation").removeprefix(installation.url)
    olga.goto("/messages/")
    olga.follow("text=About a trade")
    olga.page.fill("#id_text", "half a thought")
    olga.send("main button:text-is('Send')")
    olga.follow("#messages a[href*=edit] >> nth=-1")
    edit = olga.page.url.removeprefix(installation.url).partition("#")[0]
    olga.page.fill("#edit_text", "a whole thought")
    olga.send("#edit button[value='edit']")
    assert "a whole thought" in olga.page.inner_text("#messages")
    assert "edited" in olga.page.inner_text("#messages")
    pete = page_of(people["pete"], script=False)
    pete.goto("/messages/")
    pete.follow("text=About a trade")
    thread = pete.page.url.removeprefix(installation.url)
    pete.follow("#messages a[href*=about]")
    pete.page.fill("#about [name='reason']", "a test")
    pete.send("#about button[value='report']")
    pete.goto("/events/")
    pete.follow("text=Study of a day")
    meeting = pete.page.url.removeprefix(installation.url)
    problems: list[str] = []
    stop = stop_link(installation.database, "olga")
    of_olga: tuple[str, ...] = (
        "/community/",
        "/contacts/",
        "/organizations/",
        desk,
        "/messages/new/",
        thread,
        edit,
        "/messages/?q=look",
        stop,
    )
    of_olga += (
        "/events/",
        "/events/new/",
        meeting,
        f"{meeting}?change",
        "/wallets/paper/sharing/",
        "/agenda/?day=2024-01-03",
    )
    pages = {
        "olga": of_olga,
        "ada": ("/messages/reports/", "/wallets/paper/sharing/"),
        "pete": (invitation, "/messages/", "/settings/"),
    }
    for name, paths in pages.items():
        desk_page, phone = page_of(people[name]), page_of(people[name], viewport=PHONE)
        phone.goto("/community/")
        phone.send('button[value="fr"]')
        for path in paths:
            assert desk_page.goto(path) == phone.goto(path) == 200, path
            found, _paint = look(desk_page.page, phone.page, path, has_known_frame=True)
            problems += [f"{name} {one}" for one in found]
    assert problems == [], "\n".join(problems)
