"""The secrets that this process uses, kept out of everything it writes: found by value, under whatever name they stand.

A provider may repeat a key in an error page, a header, a redirect or a body, encoded as it likes. Forms that are found:
as it is (in any case), percent-encoded once or twice, as JSON or HTML escapes, in Base64 at any offset.
"""

import base64
import html
import re
from functools import cache

MASK = "***"
LONGEST_SECRET = 1_000
SHORTEST_PART = 8
# Of a name such as api_key, X-Auth-Token or Authorization: not `author`, `keyword` or the passwd of /etc/passwd.
_SECRET_WORD = re.compile(
    r"\w*(?:token|secret|signature|passwd|password|crumb|credential)\w*|cookie"
    r"|(?:api|access|app|auth|client|consumer|private)?keys?|o?auth(?:orization)?",
    re.IGNORECASE,
)
_known: set[str] = set()


def is_secret_name(name: str) -> bool:
    """Whether a query parameter or header of that name holds a secret, as far as can be judged."""
    return any(_SECRET_WORD.fullmatch(word) for word in re.split(r"[-_.]", name))


def remember_secret(value: str) -> None:
    """Mask `value` from now on, and of `user:password` each half that is long enough to be told from other words."""
    parts = [value, *value.split(":")]
    _known.update(part for part in parts if SHORTEST_PART <= len(part) <= LONGEST_SECRET)
    _pattern.cache_clear()


def masked(text: str) -> str:
    """The text with `***` in place of every known secret."""
    return _pattern().sub(MASK, text) if _known else text


def masked_bytes(body: bytes) -> bytes:
    """The bytes with `***` in place of every known secret; the very same where there is none."""
    if not _known:
        return body
    # Latin-1 reads any bytes, and gives the very same ones back.
    found = _pattern().sub(MASK, text := body.decode("latin-1"))
    return body if found == text else found.encode("latin-1")


@cache
def _pattern() -> re.Pattern[str]:
    forms = {form for value in _known for form in (_escaped(value), *_base64_cores(value))}
    # The longest first: a half that is known as well would leave the other half to be read.
    return re.compile("|".join(sorted(forms, key=len, reverse=True)), re.IGNORECASE)


def _escaped(value: str) -> str:
    """A pattern of the value, each letter as it is or in one of its escapes."""
    return "".join(
        rf"(?:{re.escape(letter)}|\\?{re.escape(letter)}|%(?:25)?{code:02x}|\\u{code:04x}|\\x{code:02x}"
        rf"|&\#0*{code};|&\#x0*{code:x};|{re.escape(html.escape(letter))})"
        for letter, code in ((letter, ord(letter)) for letter in value)
    )


def _base64_cores(value: str) -> set[str]:
    """What Base64 makes of the value in the middle of other bytes: without the letters that share bits with those."""
    cores = set()
    for offset in range(3):
        whole = b"\0" * offset + value.encode()
        letters = slice((8 * offset + 5) // 6, 8 * len(whole) // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            cores.add(re.escape(encode(whole).decode()[letters]))
    return {core for core in cores if len(core) >= SHORTEST_PART}
