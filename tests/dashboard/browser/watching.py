"""A page of the browser that remembers what goes wrong on it, and what a person does with the keyboard."""

from typing import TYPE_CHECKING

from tests.dashboard.conftest import PASSWORD, totp

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The console tells of what the policy refuses, too; this tells of it where nothing is written there.
REPORTS = "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const box = one.getBoundingClientRect();
    return {
        tag: one.tagName, id: one.id, text: (one.innerText || '').trim(), href: one.getAttribute('href') || '',
        name: one.getAttribute('name') || '', seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
            && box.width > 0 && box.right > 0 && box.bottom > 0,
    }
}"""
WRONG = ("error", "warning")
DRIVER = "GL Driver Message"  # what the software renderer says of its own speed
MOST_STEPS = 150
MOST_INTERRUPTIONS = 5


class Watched:
    """A page, and in `wrong` the errors of its console, answers of 400 and more, reports of CSP, foreign requests."""

    def __init__(self, page: "Page", url: str) -> None:
        self.page, self.url, self.wrong = page, url, list[str]()
        page.add_init_script(REPORTS)
        page.on("console", lambda said: self._note(said.text, said.type in WRONG and DRIVER not in said.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("response", lambda answer: self._note(f"{answer.status} {answer.url}", answer.status >= 400))
        # The icon of a page that is left before it came, and what is saved as a file, are aborted by the browser.
        aborted = "net::ERR_ABORTED"
        page.on("requestfailed", lambda sent: self._note(f"failed {sent.url}", sent.failure != aborted))
        page.on("request", lambda sent: self._note(sent.url, not sent.url.startswith((url, "data:"))))

    def _note(self, text: str, is_wrong: bool) -> None:
        if is_wrong:
            self.wrong.append(text)

    def goto(self, path: str) -> int:
        """Open a path of the dashboard; the status of the answer."""
        from playwright.sync_api import Error

        # The page that is left may just look again by itself, as those do that wait for an answer: then once more.
        for _ in range(MOST_INTERRUPTIONS):
            try:
                answer = self.page.goto(self.url + path)
            except Error as error:
                if "interrupted by another navigation" not in error.message:
                    raise
                continue
            if answer is not None:
                return answer.status
        raise AssertionError(f"{path} was not opened: another page came {MOST_INTERRUPTIONS} times")

    def follow(self, selector: str) -> None:
        """Click a link, and wait until the page that it leads to has loaded."""
        with self.page.expect_navigation():
            self.page.click(selector)

    def send(self, selector: str) -> None:
        """Click what sends a form, and wait until its answer has come, so that what it did is done."""
        with self.page.expect_response(lambda answer: answer.request.method == "POST"):
            self.page.click(selector)
        self.page.wait_for_load_state()

    def tab_to(self, *, text: str = "", href: str = "", name: str = "") -> None:
        """Press Tab until what has this text, address or name has the focus; each step must be seen."""
        for _ in range(MOST_STEPS):
            focused = self.page.evaluate(FOCUSED)
            assert focused["tag"] == "BODY" or focused["seen"], f"{self.page.url}: no focus is seen on {focused}"
            if (
                (text and focused["text"] == text)
                or (href and focused["href"] == href)
                or focused["name"] == name != ""
            ):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{self.page.url}: Tab does not reach {text or href or name}")


def sign_up(page: "Page", address: str, name: str) -> None:
    """Make an account where `address` leads to the form, and give it a second factor."""
    page.goto(address)
    page.fill("#id_username", name)
    page.fill("#id_password1", PASSWORD)
    page.fill("#id_password2", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url("**/")
    add_second_factor(page, "/".join(address.split("/", 3)[:3]))


def sign_in(page: "Page", url: str, name: str) -> None:
    """Sign in with name and password, and set a second factor up."""
    page.goto(f"{url}/account/sign-in/")
    page.fill("#id_login", name)
    page.fill("#id_password", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url("**/")
    add_second_factor(page, url)


def add_second_factor(page: "Page", url: str) -> None:
    """Set up an authenticator app for who is signed in at `url`."""
    page.goto(f"{url}/account/second-factor/app/")
    page.fill("#id_password", PASSWORD)
    page.click("main button.primary")
    page.fill("#id_code", totp(page.inner_text("#secret")))
    page.click("main button.primary")
    assert len(page.inner_text("#codes").split()) == 10
    page.click("text=Go on")
