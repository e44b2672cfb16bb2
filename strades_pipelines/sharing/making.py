"""Make a bundle: run the strategy as a verification will, and sign what came of it."""

import hashlib
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.settings import PROJECT
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle, read_bundle
from strades_pipelines.sharing.code_review import permissions_of
from strades_pipelines.sharing.manifest import AnyManifest, Code, Data, Environment, Label, Manifest, Result
from strades_pipelines.sharing.rerun import Answer, rerun
from strades_pipelines.sharing.strategy_run import StrategyQuestion
from strades_pipelines.strategy.events import moment

if TYPE_CHECKING:
    from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice
    from strades_pipelines.simulation.backtest import Bars
    from strades_pipelines.strategy.strategy import Strategy

LOCK = PROJECT / "requirements.lock"


@dataclass(frozen=True)
class Provenance:
    """Where bars come from and what they may be used for, in words."""

    source: str
    licence: str


def make_bundle(
    named: str,
    given: Sequence[str],
    data: "DataChoice",
    terms: "TermsChoice",
    label: Label,
    *,
    key: AuthorKey,
    at: datetime,
    provenance: Callable[[str], Provenance],
) -> Bundle:
    """A signed bundle of a strategy, its terms, and what it came to on these bars.

    Args:
        named, given: the strategy and its parameters as `strades backtest` takes them.
        at: when it is made, and as of when bars of the database are read that name no time; UTC.
        provenance: of the bars of an instrument, by its name.

    Raises:
        BadInput: what cannot be used; CodeFailed: the strategy does not run through where it is shut in.
    """
    from strades_pipelines.strategy.strategy_files import load_strategy, make_strategy, parameters

    strategy = load_strategy(named)
    chosen = parameters(strategy, given)
    # Made once before bars are read: parameters that do not fit are refused here.
    make_strategy(strategy, chosen)
    terms.terms()
    data = at_a_time(data, at)
    bars = data.bars()
    files, entry = _code(strategy)
    words = {field.name: _plain(getattr(terms, field.name)) for field in fields(terms)}
    answer = rerun(files, StrategyQuestion(entry, strategy.__name__, chosen, words, bars))
    hashes = hashes_of(files)
    manifest = Manifest(
        **signed_parts(label, key, at, answer),
        code=Code(
            file=entry,
            class_name=strategy.__name__,
            parameters=chosen,
            permissions=permissions_of(files),
            files=hashes,
        ),
        data=tuple(described(one, data, provenance(one.name)) for one in bars),
        options=options_of(data),
        terms=words,
    )
    return sign(manifest, files, answer, key)


def signed_parts(label: Label, key: AuthorKey, at: datetime, answer: Answer) -> dict[str, Any]:
    """What manifests of all kinds have, by name."""
    return {
        **label.model_dump(),
        "author_key": key.public,
        "made_at": at,
        "environment": _environment(answer.code_sha256),
        "result": Result(sha256=hashlib.sha256(answer.encoded).hexdigest(), claims=dict(answer.claims)),
    }


def hashes_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file, by its path."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def sign(manifest: AnyManifest, files: Mapping[str, bytes], answer: Answer, key: AuthorKey) -> Bundle:
    """The bundle of a manifest, signed; read again, so that what a reader would refuse is refused here.

    Raises:
        BundleRefused: a path, name or size that no bundle may have.
    """
    return read_bundle(Bundle(manifest, key.sign(manifest.encoded()), files, answer.encoded).body)


def at_a_time(data: "DataChoice", at: datetime) -> "DataChoice":
    """The choice of bars; those of the database are read as of the time that it names, or as of `at`.

    Raises:
        BadInput: an option that no bundle has.
    """
    if data.instruments:
        data = replace(data, as_of=(at if data.as_of is None else read_moment(data.as_of)).isoformat())
    _check_choice(data)
    return data


def read_moment(text: str, option: str = "--as-of") -> datetime:
    """A day or an ISO 8601 time; without a zone it is UTC.

    Raises:
        BadInput: it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option}: expected a day or time such as 2026-11-30T12:00:00Z, found {text!r}") from None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _check_choice(data: "DataChoice") -> None:
    unsupported = {
        "--adjust": data.adjust,
        "--actions": data.actions,
        "--trades": data.trades,
        "--currency": data.currencies,
        "--multiplier": data.multiplier != 1.0,
    }
    for option, is_given in unsupported.items():
        if is_given:
            raise BadInput(f"{option}: a bundle holds bars of files or of the database alone, without it")


def _code(strategy: "type[Strategy]") -> tuple[dict[str, bytes], str]:
    """The files of a strategy by their path in the bundle, and the path of the one that has its class."""
    from strades_pipelines.strategy.registry import own_sources

    return code_files(own_sources(strategy), Path(str(sys.modules[strategy.__module__].__file__)).resolve())


def code_files(sources: Iterable[Path], entry: Path) -> tuple[dict[str, bytes], str]:
    """Files of code by their path in a bundle, and the path of `entry`, in whose folder they are.

    Raises:
        BadInput: one is elsewhere.
    """
    found: dict[str, bytes] = {}
    for file in sources:
        path = file.resolve()
        if not path.is_relative_to(entry.parent):
            raise BadInput(f"{file}: expected the code of a bundle in the folder of {entry.name}, found it elsewhere")
        found[f"code/{path.relative_to(entry.parent).as_posix()}"] = path.read_bytes()
    return found, f"code/{entry.name}"


def described(bars: "Bars", data: "DataChoice", provenance: Provenance) -> Data:
    """What a manifest says of the bars of an instrument."""
    from strades_pipelines.bars.bar_files import data_hash

    return Data(
        instrument=bars.name,
        origin="stored" if data.instruments else "file",
        rows=len(bars.time),
        first=moment(int(bars.open_time[0])),
        last=moment(int(bars.time[-1])),
        as_of=None if data.as_of is None else read_moment(data.as_of),
        source=provenance.source,
        licence=provenance.licence,
        sha256=data_hash([bars]),
    )


def options_of(data: "DataChoice") -> dict[str, Any]:
    """The options that choose the bars, by their long names."""
    words = {"interval": data.interval, "from": data.start, "to": data.end, "resample": data.resample}
    given: dict[str, Any] = {name: text for name, text in words.items() if text is not None}
    return given | ({"calendar": list(data.calendars)} if data.calendars else {})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _environment(code_sha256: str) -> Environment:
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest() if LOCK.is_file() else None
    return Environment(
        strades=version_of("strades"), python=platform.python_version(), code_sha256=code_sha256, lock_sha256=lock
    )


def summary(bundle: Bundle) -> Mapping[str, Any]:
    """What people and programs are told of a bundle: its manifest, the author's fingerprint, its own hash."""
    return {
        "sha256": bundle.sha256,
        "author": bundle.manifest.fingerprint,
        "manifest": bundle.manifest.model_dump(mode="json"),
    }
