"""Classes that hide by their names, for pages whose style sheets are not in them, as a screen 1920 pixels wide shows.

From the documentation of Tailwind, Bootstrap 3 to 5, Foundation, UIkit, Bulma and of the design systems of sites.
"""

import re
from collections.abc import Iterable

BREAKPOINTS = ("", "sm", "md", "lg", "xl", "xxl", "2xl")
SHOWN = r"contents|(?:inline-)?(?:block|flex|grid|table)|inline|table-\w+|flow-root|list-item"
# Bootstrap's d-md-none, Tailwind's md:hidden and tw-hidden; of several, that of the largest breakpoint is in force.
BOOTSTRAP = re.compile(rf"d-(?:(sm|md|lg|xl|xxl)-)?(none|{SHOWN})")
TAILWIND = re.compile(rf"(?:(sm|md|lg|xl|2xl):)?(?:tw-)?!?(hidden|{SHOWN})!?")
HIDE = re.compile(r"(?:(?:is|u|uk|wp|mw|ng|slds|ui-helper|pf-u)-)?(?:hidden|hide)|(?:display|u-d)-?none|no-?display")
FOR_SCREEN_READERS = re.compile(
    r"(?:[a-z0-9]+[-_]+)*"  # whose design system it is of: cdk-, govuk-, bx--
    r"(?:(?:visually|a11y|accessibly)[-_]?hidden(?:[-_]focusable)?|hidden[-_]?(?:accessible|visually)"
    r"|sr[-_]?only(?:[-_]focusable)?|show-for-sr|screen[-_]?reader(?:s)?(?:[-_]?(?:text|only))?|assistive-text)"
)
SHOWN_TO_ALL = re.compile(r"(?:(?:sm|md|lg|xl|2xl):)?not-sr-only")  # focus:not-sr-only is of a link nobody sees
OTHERS = frozenset(("element-invisible", "off-screen", "offscreen", "sortkey", "sort-key", "tooltiptext"))
SMALL, LARGE = "(?:xs|sm|small|phone|phablet|mobile|tablet|touch|md|med|medium)", "(?:lg|large|desktop|xl|xlarge)"
ON_SMALL_SCREENS = re.compile(
    rf"visible-{SMALL}(?:-(?:block|inline|inline-block))?|show-(?:for|on)-(?:{SMALL}|large)-only|{SMALL}-only"
    rf"|(?:show|visible)-(?:on-)?(?:mobile|tablet|phone)|uk-visible-(?:small|medium)"
)
ON_LARGE_SCREENS = re.compile(rf"visible-{LARGE}(?:-(?:block|inline|inline-block))?|uk-visible-large")
NOT_ON_LARGE_SCREENS = re.compile(
    rf"hidden-{LARGE}|hidden-(?:xs|sm|md|lg|xl)-up|hidden-xl-down|uk-hidden(?:-large|@\w+)"
    rf"|hide-(?:for|on)-(?:medium|large|xlarge|med-and|large-and)(?:-up)?|(?:hide|hidden)-(?:on-)?desktop"
    r"|is-hidden-(?:tablet|desktop|widescreen|fullhd)"
)


def hides(classes: Iterable[str]) -> bool:
    """Whether an element with these classes is not seen on a large screen."""
    names = [name.lower() for name in classes]
    if any(name in OTHERS or NOT_ON_LARGE_SCREENS.fullmatch(name) for name in names):
        return True
    if any(map(FOR_SCREEN_READERS.fullmatch, names)) and not any(map(SHOWN_TO_ALL.fullmatch, names)):
        return True
    if any(map(ON_SMALL_SCREENS.fullmatch, names)) and not any(map(ON_LARGE_SCREENS.fullmatch, names)):
        return True
    displays = [(BREAKPOINTS.index(found[1] or ""), found[2] in ("none", "hidden")) for found in _displays(names)]
    displays += [(0, True) for name in names if HIDE.fullmatch(name)]
    # `max` takes the largest breakpoint, and of one breakpoint the class that hides: True is above False.
    return max(displays, default=(0, False))[1]


def _displays(names: Iterable[str]) -> Iterable[re.Match[str]]:
    return (found for name in names if (found := BOOTSTRAP.fullmatch(name) or TAILWIND.fullmatch(name)))
