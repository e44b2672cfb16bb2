"""A measurement in a process of its own, which prints it as JSON on its last line."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any


def json_result(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """What a command measured.

    Raises:
        RuntimeError: the command failed; what it said.
    """
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document
