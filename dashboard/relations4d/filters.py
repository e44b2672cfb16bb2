"""What the address of the 4D view asks for, and what is wrong with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from dashboard.gateway.reading import parse_whole
from dashboard.gateway.relation_graph import PLANES, Graph, Node
from dashboard.gateway.relations import LEVELS, MOST_DAYS, Range, default_range
from dashboard.overall_data.clock import EARLIEST_YEAR, read_text

MODES = ("as-of", "window")
INPUT = "%Y-%m-%dT%H:%M:%S"  # of a field for a date and a time
SLAB = re.compile("([1-9])-([1-9])")
LARGEST_LISTING = 2**31 - 1
ALL_PLANES = "".join(str(n + 1) for n in range(len(PLANES)))


@dataclass(frozen=True)
class Filters:
    """The days, the finest level, one listing or wallet, the planes (`12` is the lowest two), and the times shown.

    Args:
        slab: the lowest and the highest plane to show, of nodes and edges alike.
        since, until: instants (UTC): `window` shows what was known or decided between them, `as-of` all that was known
            by `until`.
        focus: the key of a node.
        trace: an id that `strades trace` follows; then days, level and listing do not matter.
        problem: what was wrong; then the newest days are shown.
    """

    first: date
    last: date
    level: str
    listing: int | None
    wallet: str
    asset: str
    planes: str
    slab: tuple[int, int]
    mode: str
    since: datetime | None
    until: datetime | None
    focus: str
    trace: str
    problem: str = ""

    @property
    def status(self) -> int:
        """The HTTP status of the page."""
        return 400 if self.problem else 200

    @property
    def times(self) -> tuple[str, str]:
        """`since` and `until` as fields have them, in UTC whatever the zone of the page."""
        since, until = (instant.strftime(INPUT) if instant else "" for instant in (self.since, self.until))
        return since, until

    @property
    def slab_text(self) -> str:
        """The slab as the address has it; empty for all planes."""
        return "" if self.slab == (1, len(PLANES)) else f"{self.slab[0]}-{self.slab[1]}"

    def range(self, wallets: Sequence[str]) -> Range:
        """The range to read, of the wallets that may be seen."""
        chosen = tuple(wallet for wallet in wallets if not self.wallet or wallet == self.wallet)
        return Range(self.first, self.last, self.level, self.listing, chosen)

    def shows(self, node: Node) -> bool:
        """Whether a node is on a plane, of an asset and at a time that is asked for."""
        return (
            str(node.plane + 1) in self.planes
            and self.slab[0] <= node.plane + 1 <= self.slab[1]
            and (not self.asset or node.asset == self.asset)
            and (self.until is None or node.first <= self.until.timestamp())
            and (self.mode == "as-of" or self.since is None or node.last >= self.since.timestamp())
        )

    def shown(self, graph: Graph) -> list[int]:
        """The indices of the nodes to show."""
        return [n for n, node in enumerate(graph.nodes) if self.shows(node)]


def read_filters(request: HttpRequest, newest: date | None, today: date) -> Filters:
    """The filters of an address.

    Raises:
        Http404: a text holds what no text of PostgreSQL has.
    """
    first, last, problem = _days(request, newest, today)
    level, mode = read_text(request, "level"), read_text(request, "mode") or MODES[0]
    listing = parse_whole(read_text(request, "listing") or "-", LARGEST_LISTING)
    slab = SLAB.fullmatch(read_text(request, "slab"))
    if level not in ("", *LEVELS) or mode not in MODES:
        raise Http404
    return Filters(
        first, last, level, listing, read_text(request, "wallet"), read_text(request, "asset"),
        _planes(request.GET.getlist("planes")), (int(slab[1]), int(slab[2])) if slab else (1, len(PLANES)), mode,
        _instant(read_text(request, "t0")), _instant(read_text(request, "t1")),
        read_text(request, "focus"), read_text(request, "trace"), problem,
    )  # fmt: skip


def _days(request: HttpRequest, newest: date | None, today: date) -> tuple[date, date, str]:
    """First and last day, and what is wrong with those of the address."""
    first, last = default_range(newest, today)
    texts = read_text(request, "from"), read_text(request, "to")
    try:
        wanted_last = date.fromisoformat(texts[1]) if texts[1] else last
        wanted_first = date.fromisoformat(texts[0]) if texts[0] else min(first, wanted_last)
    except ValueError:
        return first, last, _("Days: expected dates such as 2024-01-31; the newest days are shown.")
    if wanted_first.year < EARLIEST_YEAR or wanted_first > wanted_last:
        return first, last, _("Days: expected a first day that is not after the last; the newest days are shown.")
    if (wanted_last - wanted_first).days >= MOST_DAYS:
        return first, last, _("Days: at most 25 years at once; the newest days are shown.")
    return wanted_first, wanted_last, ""


def _planes(texts: Sequence[str]) -> str:
    """The planes of the address, each a digit; `0` alone for none, and all where there is no digit of a plane."""
    planes = "".join(sorted(set("".join(texts)) & set(ALL_PLANES)))
    return planes if planes or "0" in "".join(texts) else ALL_PLANES


def _instant(text: str) -> datetime | None:
    """A time of the address: seconds since 1970, or `YYYY-MM-DDTHH:MM[:SS]` (UTC); None for anything else."""
    if (seconds := parse_whole(text, 2**32 - 1)) is not None:
        return datetime.fromtimestamp(seconds, UTC)
    try:
        instant = datetime.strptime(text if text.count(":") == 2 else f"{text}:00", INPUT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return instant if instant.year >= EARLIEST_YEAR else None
