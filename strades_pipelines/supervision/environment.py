"""What a part finds in its environment: the secrets it needs, and no others."""

from collections.abc import Mapping

from strades_pipelines.settings import Settings

_SYSTEM = "PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR TERM VIRTUAL_ENV LD_LIBRARY_PATH DYLD_LIBRARY_PATH"
_SERVED = "DAGSTER_HOME DAGSTER_EVENT_BATCH_SIZE STRADES_CODE_SOCKET"
NAMES = frozenset(f"{_SYSTEM} {_SERVED}".split(" "))
PREFIXES = ("LC_", "PYTHON", "SSL_", "COVERAGE_")
DAGSTER_DATABASE = "DAGSTER_PG_URL"


def without_secrets(whole: Mapping[str, str]) -> dict[str, str]:
    """The variables that any program may see: those of the system and our settings, by a list of what is allowed."""
    settings = {f"STRADES_{name.upper()}" for name, field in Settings.model_fields.items() if field.repr}
    return {
        name: value for name, value in whole.items() if name in NAMES or name in settings or name.startswith(PREFIXES)
    }


def for_dagster(whole: Mapping[str, str]) -> dict[str, str]:
    """As `without_secrets`, with the URL of Dagster's database."""
    return without_secrets(whole) | {name: whole[name] for name in (DAGSTER_DATABASE,) if name in whole}
