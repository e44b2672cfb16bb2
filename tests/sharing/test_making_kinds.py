"""Bundles of feature sets, protocols and layouts: made, verified, differing, refused; as a strategy's."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.research.backtest_inputs import DataChoice
from strades_pipelines.settings import PROJECT
from strades_pipelines.sharing import layout_run, protocol_run
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle, pack, read_bundle
from strades_pipelines.sharing.bundle_paths import is_bundle_path
from strades_pipelines.sharing.code_hashes import hash_of_rooms
from strades_pipelines.sharing.installing import install
from strades_pipelines.sharing.making import Provenance, hashes_of
from strades_pipelines.sharing.making_kinds import make_feature_set, make_layout_bundle, make_protocol_bundle
from strades_pipelines.sharing.manifest import BundleRefused, Label, ProtocolManifest, canonical_json, read_manifest
from strades_pipelines.sharing.rerun import CodeFailed
from strades_pipelines.sharing.verification import DATA_NOT_HERE, DIFFERS, VERIFIED, files_of, verify, verify_bytes
from tests.research.bars import CLOSES
from tests.sharing.conftest import AT
from tests.shut_in import require_isolation

LABEL = Label(name="kept", version="1.0.0", title="A test", licence="Apache-2.0")
FETCHED = datetime(2026, 1, 5, tzinfo=UTC)
GATE = {"symbol": "BTC_USDT", "interval": "1m", "currency": "USDT"}
MEAN = """
import numpy as np
from window import LENGTH

def features(bars):
    closes = bars.prices[3]
    mean = np.full(len(closes), np.nan)
    for k in range(LENGTH - 1, len(closes)):
        mean[k] = closes[k - LENGTH + 1:k + 1].sum() / LENGTH
    bars.prices[3] = 0.0
    return {"mean": mean, "close": closes * 0 + 1}
"""
LAYOUT = {"cards": ["sharpe", "fees"], "panels": ["trades", "account"]}
CANDLE = '["1767225600","1000.5","100.5","101.0","99.5","100.0","10.0","true"]'


def features(folder: Path, key: AuthorKey, text: str) -> Bundle:
    """A bundle of such features of the wave."""
    require_isolation()
    (folder / "mean.py").write_text(text)
    (folder / "window.py").write_text("LENGTH = 3\n")
    data = DataChoice(files=[str(folder / "wave.csv")])
    return make_feature_set(
        str(folder / "mean.py"), data, LABEL, key=key, at=AT, provenance=lambda _: Provenance("a test", "free")
    )


def protocol(folder: Path, key: AuthorKey, *, body: str = f"[{CANDLE}]", **changes: Any) -> Bundle:
    """A bundle of Gate.io's candles under another name, with one answer."""
    require_isolation()
    document = json.loads((PROJECT / "scrapers/protocols/gateio_candles.json").read_bytes())
    (folder / "protocol.json").write_text(json.dumps({**document, "name": "acme_candles", **changes}))
    (folder / "answer.json").write_text(body)
    return make_protocol_bundle(
        folder / "protocol.json",
        [folder / "answer.json"],
        GATE,
        LABEL,
        key=key,
        at=AT,
        fetched_at=FETCHED,
        provenance=Provenance("a test", "free"),
    )


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory, key: AuthorKey) -> Bundle:
    """A bundle of a protocol with one body, made once."""
    return protocol(tmp_path_factory.mktemp("acme"), key)


@pytest.fixture(scope="module")
def headings(tmp_path_factory: pytest.TempPathFactory, key: AuthorKey) -> Bundle:
    """A bundle of a layout, made once."""
    return layout(tmp_path_factory.mktemp("layout"), key)


def layout(folder: Path, key: AuthorKey, document: object = LAYOUT) -> Bundle:
    """A bundle of a layout."""
    require_isolation()
    (folder / "layout.json").write_text(json.dumps(document))
    return make_layout_bundle(folder / "layout.json", LABEL, key=key, at=AT)


def signed(bundle: Bundle, key: AuthorKey, files: Mapping[str, bytes], result: bytes | None = None) -> Bundle:
    """The bundle with other files or another result, signed by its author."""
    body = bundle.result if result is None else result
    [digest] = hashes_of({"": body}).values()
    declared = bundle.manifest.result.model_copy(update={"sha256": digest})
    content = bundle.manifest.content.model_copy(update={"files": hashes_of(files)})
    part = "content" if "content" in type(bundle.manifest).model_fields else "code"
    manifest = bundle.manifest.model_copy(update={part: content, "result": declared})
    return replace(bundle, manifest=manifest, files=files, result=body, signature=key.sign(manifest.encoded()))


def test_features_are_those_of_the_prices_and_are_verified(shop: Path, key: AuthorKey, tmp_path: Path) -> None:
    bundle = features(shop, key, MEAN)
    assert read_bundle(bundle.body) == bundle
    assert (bundle.manifest.kind, bundle.manifest.permissions) == ("feature_set", ("bars",))
    assert sorted(bundle.files) == ["code/mean.py", "code/window.py"]
    told = json.loads(bundle.result)["features"]["wave"]
    # Two bars have no mean of three; every bar has a one.
    assert {name: one["values"] for name, one in told.items()} == {"mean": len(CLOSES) - 2, "close": len(CLOSES)}
    ones = b"\x00\x00\x00\x00\x00\x00\xf0\x3f" * len(CLOSES)  # IEEE 754: 1.0, little endian
    assert told["close"]["sha256"] == hashes_of({"": ones})[""]
    verdict = verify_bytes(bundle.body, files_of(shop))
    assert (verdict.state, verdict.detail) == (VERIFIED, "the same features (1) and figures (2)")
    assert verify(bundle, {}).state == DATA_NOT_HERE
    other = signed(bundle, key, {**bundle.files, "code/window.py": b"LENGTH = 4\n"})
    verdict = verify(other, files_of(shop))
    assert verdict.state == DIFFERS
    assert verdict.detail.startswith("features.wave.mean.sha256: the bundle has ")


def test_a_feature_set_opens_no_socket(shop: Path, key: AuthorKey) -> None:
    with pytest.raises(CodeFailed, match="PermissionError"):
        features(shop, key, "import socket\ndef features(bars):\n    socket.socket()")


def test_a_protocol_reads_its_bodies_and_the_first_record_that_is_another_is_named(
    acme: Bundle, key: AuthorKey
) -> None:
    bundle = acme
    assert (bundle.manifest.kind, bundle.manifest.permissions) == ("protocol", ())
    assert bundle.manifest.environment.code_sha256 == hash_of_rooms(*protocol_run.ROOMS)
    [document] = json.loads(bundle.result)["bodies"].values()
    [record] = document["records"]
    # Gate.io writes time, quote volume, close, high, low, open, volume.
    assert [record[name] for name in ("open", "high", "low", "close", "volume")] == [100.0, 101.0, 99.5, 100.5, 10.0]
    assert record["open_time"] == "2026-01-01T00:00:00Z"
    verdict = verify_bytes(bundle.body, {})
    assert (verdict.state, verdict.detail) == (VERIFIED, "the same bodies (1) and figures (3)")
    lied = signed(bundle, key, bundle.files, bundle.result.replace(b'"close":100.5', b'"close":100.75'))
    assert lied.result != bundle.result
    verdict = verify(lied, {})
    assert verdict.state == DIFFERS
    assert "records[0].close: the bundle has 100.75, the run 100.5" in verdict.detail
    body = bytearray(bundle.body)
    body[body.index(b'"100.5"') + 2] ^= 1
    assert verify_bytes(bytes(body), {}).state == DIFFERS


def test_a_layout_is_its_headings(headings: Bundle, key: AuthorKey) -> None:
    bundle = headings
    assert bundle.manifest.environment.code_sha256 == hash_of_rooms(*layout_run.ROOMS)
    assert json.loads(bundle.result) == {"cards": ["Sharpe", "Fees"], "panels": ["Trades", "Account"]}
    assert verify_bytes(bundle.body, {}).detail == "the same panels (2) and figures (2)"
    swapped = signed(bundle, key, {"content/layout.json": json.dumps({**LAYOUT, "panels": ["account"]}).encode()})
    assert verify(swapped, {}).detail.startswith("panels[0]: the bundle has 'Trades', the run 'Account'")


def test_what_is_no_protocol_or_layout_is_neither_made_nor_installed(
    tmp_path: Path, key: AuthorKey, acme: Bundle, headings: Bundle
) -> None:
    with pytest.raises(CodeFailed, match=r"content/bodies/1\.body: "):
        protocol(tmp_path, key, body='{"label": "no candles"}')
    for bundle in (headings, acme):
        path = install(bundle, tmp_path / "home", world="sandbox")
        assert path.read_bytes() == bundle.files[bundle.manifest.content.file]
        path.parent.parent.rename(tmp_path / bundle.manifest.kind)
        bad = signed(bundle, key, {**bundle.files, bundle.manifest.content.file: b'{"script": "x"}'})
        with pytest.raises(BundleRefused, match=r"content/\w+\.json: (layout|protocol): "):
            install(read_bundle(bad.body), tmp_path / "home", world="sandbox")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"code/evil.py": b"x = 1\n"}, "expected content/NAME.json or content/bodies/NAME.body of a protocol"),
        ({"content/bodies/../x.body": b"x"}, "of a protocol, found 'content/bodies/../x.body'"),
        ({"content/script.js": b"x"}, "of a protocol, found 'content/script.js'"),
        ({"content/bodies/NUL.body": b"x"}, "of a protocol, found 'content/bodies/NUL.body'"),
        ({"content/com1.json": b"x"}, "of a protocol, found 'content/com1.json'"),
        ({"content/Protocol.json": b"x"}, "names that differ in more than case"),
        ({"content/second.json": b"{}"}, "and the bodies of a protocol, found others"),
    ],
)
def test_code_scripts_devices_and_further_files_in_a_bundle_of_data_are_refused(
    acme: Bundle, key: AuthorKey, files: Mapping[str, bytes], said: str
) -> None:
    bundle = acme
    other = signed(bundle, key, {**bundle.files, **files})
    with pytest.raises(BundleRefused) as refused:
        read_bundle(pack(other.manifest, other.signature, other.files, other.result))
    assert said in str(refused.value) or "expected code/NAME.py or content/NAME.json" in str(refused.value)
    # What the manifest says is refused by itself, also where the archive had no such file.
    with pytest.raises(BundleRefused) as refused:
        read_bundle(pack(other.manifest, other.signature, bundle.files, other.result))
    assert said in str(refused.value)


def test_a_manifest_of_one_kind_has_nothing_of_another(acme: Bundle) -> None:
    good = acme.manifest.model_dump(mode="json")
    assert isinstance(read_manifest(canonical_json(good)), ProtocolManifest)
    for change in ({"kind": "report_layout"}, {"kind": "strategy"}, {"kind": "x"}, {"permissions": ["orders"]}):
        with pytest.raises(BundleRefused, match=r"manifest\.json: "):
            read_manifest(canonical_json({**good, **change}))
    bodies: tuple[dict[str, Any], ...] = (
        {"bodies": []},
        {"bodies": [{**good["bodies"][0], "file": "content/bodies/2.body"}]},
    )
    for part in bodies:
        with pytest.raises(BundleRefused, match=r"manifest\.json: "):
            read_manifest(canonical_json({**good, **part}))


@pytest.mark.parametrize("path", ["code/aux/a.py", "code/Con.py", "content/lpt9.json", "content/bodies/nul.body"])
def test_a_path_with_the_name_of_a_device_is_none(path: str) -> None:
    assert not is_bundle_path(path)


def test_a_path_that_only_resembles_one_is_fine() -> None:
    for path in ("code/auxiliary/a.py", "code/cone.py", "content/lpt.json", "content/bodies/1.body"):
        assert is_bundle_path(path)
