"""Whether a bundle comes to the result that its author claims, on the data that it declares."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_files import data_hash
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.sharing.bundle_file import Bundle, read_bundle
from strades_pipelines.sharing.code_review import permissions_of
from strades_pipelines.sharing.feature_run import FeatureQuestion
from strades_pipelines.sharing.layout_run import LayoutQuestion
from strades_pipelines.sharing.manifest import (
    RESULT_FILE,
    AnyManifest,
    BundleChanged,
    BundleRefused,
    Data,
    DeclaredBars,
    FeatureManifest,
    Manifest,
    ProtocolManifest,
)
from strades_pipelines.sharing.protocol_run import GivenBody, ProtocolQuestion
from strades_pipelines.sharing.rerun import CodeFailed, Question, rerun
from strades_pipelines.sharing.strategy_run import StrategyQuestion
from strades_pipelines.strategy.events import moment

if TYPE_CHECKING:
    from strades_pipelines.simulation.backtest import Bars

State = Literal["verified", "differs", "data not here"]
VERIFIED: State = "verified"
DIFFERS: State = "differs"
DATA_NOT_HERE: State = "data not here"
# Figures are sums of many numbers, whose order differs between processors; a fill is not.
CLAIM_TOLERANCE = 1e-9
CHOICES_OF_BARS = frozenset({"calendar", "interval", "from", "to", "resample"})
_FILE_NAME = re.compile(r"[^=/\\]+")


@dataclass(frozen=True)
class Verdict:
    """What a verification found: the state, and one line that names the first difference or what is missing."""

    state: State
    detail: str


class DataNotHere(Exception):
    """Bars that a bundle declares are not here, or have other values; one line on which."""


def verify_bytes(body: bytes, files: Mapping[str, Path]) -> Verdict:
    """As `verify`, of the bytes of a bundle: those that are not as their author signed them differ.

    Raises:
        BundleRefused, IsolationUnavailable: as `verify` does; it is no bundle at all.
    """
    try:
        bundle = read_bundle(body)
    except BundleChanged as error:
        return Verdict(DIFFERS, str(error))
    return verify(bundle, files)


def verify(bundle: Bundle, files: Mapping[str, Path]) -> Verdict:
    """Work out what a bundle comes to in a process that is shut in, on the data that it declares, and compare.

    Args:
        files: files of bars by the name of their instrument, for those that the bundle read from files.

    Raises:
        BundleRefused: what it says of its code is not what the code says.
        IsolationUnavailable: this machine cannot shut a process in.
    """
    check_permissions(bundle)
    manifest = bundle.manifest
    bars: list[Bars] = []
    if isinstance(manifest, DeclaredBars):
        try:
            bars = declared_bars(manifest, files)
        except DataNotHere as error:
            return Verdict(DATA_NOT_HERE, str(error))
        if wrong := first_wrong_description(manifest, bars):
            return Verdict(DIFFERS, wrong)
    try:
        answer = rerun(bundle.files, question_of(manifest, bars))
    except CodeFailed as error:
        return Verdict(DIFFERS, f"the {_words_of(manifest)[0]} did not run through: {error}")
    if answer.encoded != bundle.result:
        return Verdict(DIFFERS, _difference(bundle, answer.result) + _other_code(manifest, answer.code_sha256))
    if wrong := first_wrong_claim(manifest.result.claims, answer.claims):
        return Verdict(DIFFERS, wrong)
    claimed, (_, part) = len(manifest.result.claims), _words_of(manifest)
    figures = f"and figures ({claimed})" if claimed else "without a figure that is claimed"
    return Verdict(VERIFIED, f"the same {part} ({len(answer.result[part])}) {figures}")


def question_of(manifest: AnyManifest, bars: "Sequence[Bars]") -> Question:
    """What is worked out of a bundle; the bars are those that it declares, none of one that declares none."""
    if isinstance(manifest, Manifest):
        code = manifest.code
        return StrategyQuestion(code.file, code.class_name, code.parameters, manifest.terms, bars)
    if isinstance(manifest, FeatureManifest):
        return FeatureQuestion(manifest.code.file, manifest.code.function, bars)
    if isinstance(manifest, ProtocolManifest):
        bodies = tuple(GivenBody(body.file, dict(body.given), body.fetched_at) for body in manifest.bodies)
        return ProtocolQuestion(manifest.content.file, bodies)
    return LayoutQuestion(manifest.content.file)


def _words_of(manifest: AnyManifest) -> tuple[str, str]:
    """What is run of a bundle, and the part of its result that is counted."""
    if isinstance(manifest, DeclaredBars):
        return "code", "fills" if isinstance(manifest, Manifest) else "features"
    return ("protocol", "bodies") if isinstance(manifest, ProtocolManifest) else ("layout", "panels")


def check_permissions(bundle: Bundle) -> None:
    """Refuse a bundle whose code asks for other things than its manifest says.

    Raises:
        BundleRefused: the first one.
    """
    manifest = bundle.manifest
    if not isinstance(manifest, Manifest):
        return  # it has no code that asks for anything, or is given bars alone
    asked, told = permissions_of(bundle.files), manifest.permissions
    if asked != told:
        raise BundleRefused(
            f"manifest.json: code.permissions: expected {', '.join(asked) or 'none'}, which the code asks for; "
            f"found {', '.join(told) or 'none'}"
        )


def declared_bars(manifest: DeclaredBars, files: Mapping[str, Path]) -> "list[Bars]":
    """The bars that a manifest declares, in its order.

    Raises:
        DataNotHere: some are not here, or have other values than the author's.
    """
    bars = [_found(manifest, data, files) for data in manifest.data]
    for data, one in zip(manifest.data, bars, strict=True):
        if (found := data_hash([one])) != data.sha256:
            raise DataNotHere(f"{data.instrument}: the bars here have other values (SHA-256 {found[:16]}…)")
    return bars


def first_wrong_description(manifest: DeclaredBars, bars: "Sequence[Bars]") -> str | None:
    """The first thing that a manifest says of its bars and that is not so, with both values; None where all is."""
    for data, one in zip(manifest.data, bars, strict=True):
        found = (len(one.time), moment(int(one.open_time[0])), moment(int(one.time[-1])))
        for name, told, value in zip(("rows", "first", "last"), (data.rows, data.first, data.last), found, strict=True):
            if told != value:
                return f"{data.instrument}: {name}: the bundle has {told}, the bars {value}"
    return None


def _found(manifest: DeclaredBars, data: Data, files: Mapping[str, Path]) -> "Bars":
    from strades_pipelines.research.backtest_inputs import DataChoice

    words = _words(manifest)
    if data.origin == "file":
        path = files.get(data.instrument)
        if path is None or not _FILE_NAME.fullmatch(data.instrument):
            raise DataNotHere(f"{data.instrument}: no file of bars was given for it")
        # A path that exists is taken whole, so that a name with `=` in it is none.
        choice = DataChoice(files=[f"{data.instrument}={path}"], **words)
    else:
        as_of = None if data.as_of is None else data.as_of.isoformat()
        choice = DataChoice(instruments=[data.instrument], as_of=as_of, **words)
    try:
        [bars] = choice.bars()
    except (BadInput, LookupError) as error:
        raise DataNotHere(f"{data.instrument}: {error}") from None
    return bars


def _words(manifest: DeclaredBars) -> dict[str, Any]:
    """The options that choose bars, by the names of `DataChoice`.

    Raises:
        BundleRefused: an option that is none of them.
    """
    if unknown := manifest.options.keys() - CHOICES_OF_BARS:
        raise BundleRefused(f"manifest.json: options: expected some of {', '.join(sorted(CHOICES_OF_BARS))}, "
                            f"found {min(unknown)!r}")  # fmt: skip
    given = dict(manifest.options)
    calendars = given.pop("calendar", [])
    words: dict[str, Any] = {{"from": "start", "to": "end"}.get(name, name): text for name, text in given.items()}
    if any(isinstance(text, list) for text in words.values()) or isinstance(calendars, str):
        raise BundleRefused("manifest.json: options: expected a list for calendar alone")
    lot = manifest.terms.get("lot") if isinstance(manifest, Manifest) else None
    return words | {"calendars": calendars, "lot": float(lot) if isinstance(lot, float) else 0.0}


def _difference(bundle: Bundle, found: Mapping[str, Any]) -> str:
    try:
        declared = loads(bundle.result)
    except JsonError as error:
        return f"{RESULT_FILE}: {error}"
    if not isinstance(declared, dict):
        return f"{RESULT_FILE}: expected a document by name, found another"
    try:
        for name in found:
            if difference := first_difference(name, declared.get(name), found[name]):
                return difference
    except RecursionError:
        return f"{RESULT_FILE}: expected a document that is less deep"
    return f"{RESULT_FILE}: expected the names of a result and no others"


def first_difference(where: str, declared: Any, found: Any) -> str | None:
    """Where two documents first differ, with both values; None where they do not."""
    if isinstance(declared, list) and isinstance(found, list):
        # The first element that differs says more than that one list is longer.
        for k, (one, other) in enumerate(zip(declared, found, strict=False)):
            if said := first_difference(f"{where}[{k}]", one, other):
                return said
        if len(declared) != len(found):
            return f"{where}: the bundle has {len(declared)} of them, the run {len(found)}"
        return None
    if isinstance(declared, dict) and isinstance(found, dict):
        for name in sorted(declared.keys() | found.keys()):
            if said := first_difference(f"{where}.{name}", declared.get(name), found.get(name)):
                return said
        return None
    # `True == 1 == 1.0` in Python; in a document they differ.
    is_same = type(declared) is type(found) and declared == found
    return None if is_same else f"{where}: the bundle has {_shown(declared)}, the run {_shown(found)}"


def _shown(value: Any) -> str:
    return repr(value)[:60]


def first_wrong_claim(claims: Mapping[str, float | int | None], found: Mapping[str, float | int | None]) -> str | None:
    """The first figure that the run does not have, with both values; None where it has all of them."""
    for name, claimed in claims.items():
        value = found.get(name)
        if claimed is None or value is None:
            is_same = name in found and claimed is None and value is None
        else:
            is_same = math.isclose(claimed, value, rel_tol=CLAIM_TOLERANCE, abs_tol=CLAIM_TOLERANCE)
        if not is_same:
            return f"claim {name}: the bundle has {claimed!r}, the run {value!r}"
    return None


def _other_code(manifest: AnyManifest, code_sha256: str) -> str:
    made_with = manifest.environment.code_sha256
    if made_with == code_sha256:
        return ""
    return f" (it was made with Strades {manifest.environment.strades[:40]}, whose engine is another one)"


def files_of(folder: Path) -> dict[str, Path]:
    """The files of bars of a folder by the names of their instruments; what a bundle says is no part of a path."""
    from strades_pipelines.bars.bar_files import name_of

    found: Sequence[Path] = sorted(folder.glob("*")) if folder.is_dir() else []
    endings = (".csv", ".csv.gz", ".parquet")
    return {name_of(path): path for path in found if path.name.endswith(endings)}
