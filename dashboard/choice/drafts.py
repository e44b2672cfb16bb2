"""What the form of the asset choice sent, read strictly, and the version that it makes of the one before: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.gateway.reading import parse_whole

MOST_IDS, LARGEST_ID, LARGEST_VERSION = (
    1_000,
    2**31 - 1,
    10**6 - 1,
)  # a version follows, and the table ends at a million


@dataclass(frozen=True)
class Base:
    """The version that a form began from (0: none, all goes), and what its wallet lists at all."""

    version: int
    chosen: list[str]
    listed: frozenset[str]


@dataclass(frozen=True)
class Draft:
    """What a form asks for: the instruments of the next version by wallet, and wallets whose version is another now."""

    new: dict[str, list[str]]
    late: list[str]


def parse_ids(text: str) -> list[int] | None:
    """The listings that a form has shown, as `11,12`; None for anything else."""
    parts = text.split(",") if text else []
    if len(parts) > MOST_IDS:
        return None
    ids = [parse_whole(part, LARGEST_ID) for part in parts]
    return None if None in ids else [one for one in ids if one is not None]


def parse_boxes(values: Sequence[str]) -> dict[str, set[int]] | None:
    """The listings that are checked, by wallet, of values `11:wallet`; None for anything else."""
    found: dict[str, set[int]] = {}
    for value in values:
        text, separator, wallet = value.partition(":")
        number = parse_whole(text, LARGEST_ID)
        if number is None or not separator:
            return None
        found.setdefault(wallet, set()).add(number)
    return found


def parse_versions(values: Sequence[str]) -> dict[str, int] | None:
    """The version that each wallet's boxes were made from, of values `wallet=3`; None for anything else."""
    found: dict[str, int] = {}
    for value in values:
        wallet, separator, text = value.rpartition("=")
        number = parse_whole(text, LARGEST_VERSION)
        if number is None or not separator or wallet in found:
            return None
        found[wallet] = number
    return found


def merged(base: Base, checked: set[int], shown: Mapping[int, str]) -> list[str]:
    """The instruments of the next version, sorted: boxes that were shown as they are now, all others as before.

    Args:
        checked: ids of listings.
        shown: the names of the listings that the form had boxes for, by id.
    """
    hidden = set(base.chosen) - set(shown.values())
    return sorted(hidden | ({shown[one] for one in checked if one in shown} & base.listed))


def compare(
    bases: Mapping[str, Base],
    versions: Mapping[str, int],
    boxes: Mapping[str, set[int]],
    shown: Mapping[int, str],
    saved: Mapping[str, list[str]],
) -> Draft:
    """Compare a form with what is stored now; all mappings but `shown` are by wallet.

    Args:
        versions: those that the boxes were made from.
        saved: what this very form has stored before.
    """
    new: dict[str, list[str]] = {}
    late = []
    for name in sorted(bases.keys() & versions.keys()):
        base, is_repeated = bases[name], name in saved
        if is_repeated:
            base = replace(base, chosen=saved[name])
        chosen = merged(base, boxes.get(name, set()), shown)
        if chosen == base.chosen and (is_repeated or base.version == versions[name]):
            continue
        if is_repeated or base.version != versions[name]:
            late.append(name)
        else:
            new[name] = chosen
    return Draft(new, late)
