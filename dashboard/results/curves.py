"""The drawings of a wallet's curve: the same on every page."""

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from dashboard.core import svg
from dashboard.core.numbers import percent_text
from dashboard.gateway.results import WalletCurve


def title(curve: WalletCurve) -> str:
    """Both results in words, for whoever does not see the drawing."""
    text = _("%(name)s: algorithm %(own)s, buy and hold %(held)s") % {
        "name": curve.name,
        "own": percent_text(curve.total_return, signed=True) if curve.total_return is not None else "—",
        "held": percent_text(curve.benchmark_return, signed=True) if curve.benchmark_return is not None else "—",
    }
    return str(text)


def sparkline(curve: WalletCurve) -> SafeString:
    """The curve without axes."""
    return svg.sparkline(curve.equity, curve.benchmark, title=title(curve))


def chart(curve: WalletCurve) -> SafeString:
    """The curve with amounts and days."""
    return svg.curve_chart(curve.times, curve.equity, curve.benchmark, currency=curve.currency, title=title(curve))


def drawdown_chart(curve: WalletCurve) -> SafeString:
    """The falls from the highest value so far, at the instants of `chart`; empty where none was kept."""
    text = _("%(name)s: largest drawdown %(fall)s") % {
        "name": curve.name,
        "fall": percent_text(curve.max_drawdown) if curve.max_drawdown is not None else "—",
    }
    return svg.line_chart(curve.times, {"drawdown": curve.drawdown}, title=str(text), is_fraction=True)
