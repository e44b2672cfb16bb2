"""What `strades doctor` found, kept in the home so that a page can show it: the doctor knows secrets, pages do not."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from strades_pipelines.settings import settings
from strades_pipelines.system.secret_values import MASK, masked

# The user and the password of a URL, whatever it is the URL of.
LOGIN_OF_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


class DoctorWarning(Exception):
    """A check passes, but something should be changed; the message says what and why."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    good: bool
    detail: str
    warning: bool = False  # it works, but should be changed

    @property
    def state(self) -> str:
        """ok, warn or bad."""
        return "warn" if self.warning else "ok" if self.good else "bad"


@dataclass(frozen=True)
class Examination:
    """The findings of one `strades doctor`, and when it was."""

    at: datetime
    findings: Sequence[Finding]


def keep_examination(findings: Sequence[Finding], *, now: datetime) -> None:
    """Write the findings into the home, without secrets; the file is whole at any moment."""
    document = {"at": now.isoformat(), "findings": [asdict(finding) for finding in findings]}
    part = _file().with_suffix(".part")
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part.write_text(without_secrets(json.dumps(document)))
    part.replace(_file())


def last_examination() -> Examination | None:
    """The newest examination of this home; None before the first."""
    try:
        document = json.loads(_file().read_text())
        findings = [Finding(**finding) for finding in document["findings"]]
        return Examination(datetime.fromisoformat(document["at"]), findings)
    except (OSError, ValueError, TypeError, LookupError):
        return None


def without_secrets(text: str) -> str:
    """The text with `***` for every secret that this process knows, and for the login in every URL."""
    return LOGIN_OF_URL.sub(MASK, masked(text))


def _file() -> Path:
    return settings().home / "doctor.json"
