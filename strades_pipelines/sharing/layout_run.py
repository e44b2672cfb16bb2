"""What a bundle of a report layout comes to: the cards and panels that this Strades draws by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from strades_pipelines.sharing.code_hashes import hash_of_rooms
from strades_pipelines.system.isolation import Limits

ROOMS = ("analysis/tearsheet",)


@dataclass(frozen=True)
class LayoutQuestion:
    """What is read: `file` is the path of the layout in its folder."""

    names: ClassVar[tuple[str, ...]] = ("cards", "panels")
    file: str
    limits: Limits = field(default_factory=Limits)

    def work_out(self, work: Path) -> Mapping[str, Any]:
        """The headings of the cards and panels, in their order."""
        from strades_pipelines.analysis.tearsheet.report_layout import card_of, parse_layout, title_of

        layout = parse_layout((work / self.file).read_bytes())
        cards, panels = [card_of(name)[0] for name in layout.cards], [title_of(name) for name in layout.panels]
        return {
            "result": {"cards": cards, "panels": panels},
            "claims": {"cards": len(cards), "panels": len(panels)},
            "code_sha256": hash_of_rooms(*ROOMS),
        }
