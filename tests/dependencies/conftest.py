"""Packages installed into a folder of the test's own, as an installer leaves them."""

from collections.abc import Callable, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

Install = Callable[..., Distribution]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package: its name, further lines of its METADATA, and its files by path and content."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def installed(name: str, *metadata: str, files: Mapping[str, str] | None = None) -> Distribution:
        information = f"{name.replace('-', '_')}-1.0.dist-info"
        lines = ("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *metadata, "")
        contents = {**(files or {}), f"{information}/METADATA": "\n".join(lines)}
        for path, text in contents.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
        (site / information / "RECORD").write_text(
            "".join(f"{path},,\n" for path in (*contents, f"{information}/RECORD"))
        )
        return distribution(name)

    return installed
