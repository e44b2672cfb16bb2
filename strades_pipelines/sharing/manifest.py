"""What a bundle says of itself: the code, the data, the terms, the result and the author. Signed as its bytes stand."""

import hashlib
import json
import math
import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from strades_pipelines.bad_input import BadInput

FORMAT = 1
MOST_FILES = 64
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# The events that a strategy hears and the acts that it asks for: by the hook or the call in its code.
Permission = Literal[
    "bars", "trades", "quotes", "news", "predictions", "corporate_actions", "timer", "targets", "orders"
]
CODE_FOLDER, RESULT_FILE = "code/", "result.json"
# A part begins with no dot, so that none is `..`; a folder has none, so that no file stands where a folder would. The
# rest is what every file system takes.
_PATH = re.compile(r"code/(?:[A-Za-z0-9_][A-Za-z0-9_-]{0,59}/){0,4}[A-Za-z0-9_][A-Za-z0-9_-]{0,59}\.py")
# What turns the direction of text, or shows nothing, makes a line say another thing than it holds: by its category in
# Unicode, and letters and marks that are drawn as nothing, or choose how the one before is drawn.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_FILLERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class BundleRefused(BadInput):
    """The bytes are no bundle, or not as their author signed them; one line: where, what was expected, what it is."""


class BundleChanged(BundleRefused):
    """Bytes of a bundle are not those that its author signed."""


def is_code_path(path: str) -> bool:
    """Whether a path may be a file of code in a bundle: below `code/`, of plain letters, no part that leaves it."""
    return _PATH.fullmatch(path) is not None


def _shown_as_written(text: str) -> str:
    if _FILLERS.search(text) or not _HIDDEN_CATEGORIES.isdisjoint(map(unicodedata.category, text)):
        raise ValueError("expected text without control characters and marks of direction")
    return text


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_shown_as_written)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Version = Annotated[str, Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$")]
# Those that a double, a database and a page take: a whole number of JSON may have thousands of digits.
Whole = Annotated[int, Field(gt=-(2**63), lt=2**63)]
Claims = dict[Text, float | Whole | None]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Code(_Part):
    """The class that is run, with its parameters, and what the code asks for."""

    file: str
    class_name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
    parameters: dict[Text, bool | Whole | float | Text]
    permissions: tuple[Permission, ...]
    files: dict[str, Sha256]


class Data(_Part):
    """The bars of one instrument: how they are found, and the hash by which they are known.

    `sha256` is `bar_files.data_hash` of the instrument alone, over times and prices as they are traded on. `as_of` is
    the time as of which bars of the database were read; None for those of a file.
    """

    instrument: Text
    origin: Literal["file", "stored"]
    rows: Annotated[int, Field(ge=1)]
    first: AwareDatetime
    last: AwareDatetime
    as_of: AwareDatetime | None = None
    source: Text
    licence: Text
    sha256: Sha256


class Environment(_Part):
    """What the result was made with. Another one is no fault by itself: it explains a result that differs."""

    strades: Text
    python: Text
    code_sha256: Sha256
    lock_sha256: Sha256 | None


class Result(_Part):
    """The hash of `result.json`, and the figures that the author claims."""

    sha256: Sha256
    claims: Claims


class Label(_Part):
    """What an author calls a bundle, and what its code may be used for."""

    name: Name
    version: Version
    title: Text
    licence: Text


class Manifest(Label):
    """A bundle of kind `strategy`; times are aware and in UTC.

    `options` are those of `strades backtest` that choose the bars, by their long names; `terms` those that say on what
    terms it trades.
    """

    format: Literal[1] = 1
    kind: Literal["strategy"] = "strategy"
    author_key: Sha256
    made_at: AwareDatetime
    code: Code
    data: Annotated[tuple[Data, ...], Field(min_length=1, max_length=200)]
    options: dict[Name, Text | list[Text]]
    terms: dict[Name, bool | float | Text | list[Text] | None]
    environment: Environment
    result: Result

    @property
    def fingerprint(self) -> str:
        """The author's key as people compare it: 16 hexadecimal digits in fours, of the key's SHA-256."""
        return fingerprint(self.author_key)

    def encoded(self) -> bytes:
        """The bytes that are signed: JSON with sorted names, in UTF-8, one way for each manifest."""
        return canonical_json(self.model_dump(mode="json"))


def fingerprint(public_key: str) -> str:
    """Sixteen hexadecimal digits, in fours, of the SHA-256 of a public key in hexadecimal."""
    digest = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]
    return "-".join(digest[k : k + 4] for k in range(0, 16, 4))


def canonical_json(document: Any) -> bytes:
    """JSON with sorted names and without blanks, in UTF-8; floats in the fewest digits that read back the same."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def read_label(**given: str) -> Label:
    """The label that an author gives.

    Raises:
        BadInput: the option that cannot be used.
    """
    try:
        return Label(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"--{first['loc'][0]}: {first['msg']}") from None


def read_manifest(body: bytes) -> Manifest:
    """The manifest of its bytes.

    Raises:
        BundleRefused: it is none, is written in another way than `encoded` would, or names files that it may not.
    """
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BundleRefused(f"manifest.json: {where}: {first['msg'][:200]}") from None
    except RecursionError:
        raise BundleRefused("manifest.json: expected a document that is less deep") from None
    if manifest.encoded() != body:
        raise BundleRefused("manifest.json: expected sorted names without blanks, as `strades bundle make` writes it")
    _check_paths(manifest.code)
    if any(isinstance(value, float) and not math.isfinite(value) for value in manifest.result.claims.values()):
        raise BundleRefused("manifest.json: result.claims: expected finite figures")
    return manifest


def _check_paths(code: Code) -> None:
    if code.file not in code.files:
        raise BundleRefused(f"manifest.json: code.file: expected one of code.files, found {code.file[:80]!r}")
    if len(code.files) > MOST_FILES:
        raise BundleRefused(f"manifest.json: code.files: expected at most {MOST_FILES}, found {len(code.files)}")
    for path in code.files:
        if not is_code_path(path):
            raise BundleRefused(f"manifest.json: code.files: expected code/NAME.py, found {path[:80]!r}")
