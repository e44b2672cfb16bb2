"""Currencies of instruments (`--currency`), and the rates that convert them into the account's (`--rates`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.action_files import CURRENCY
from strades_pipelines.bars.rate_files import RateFile
from strades_pipelines.simulation.backtest import Bars

OPTION = re.compile(r"(?:(?P<name>.+)=)?(?P<code>[^=]*)")


def parse_currencies(texts: Sequence[str], has_rates: bool) -> tuple[str, Mapping[str, str]]:
    """The account's currency, empty if not stated, and by instrument the currencies that differ from it.

    Args:
        texts: of `--currency`, CODE or NAME=CODE.
        has_rates: whether `--rates` is given.

    Raises:
        BadInput: an invalid or repeated code, a missing account currency, or `--rates` without a foreign currency
            or the reverse.
    """
    codes: dict[str, str] = {}
    for text in texts:
        found = OPTION.fullmatch(text)
        name, code = (found["name"] or "", found["code"]) if found else ("", "")
        if not CURRENCY.fullmatch(code) or name in codes:
            raise BadInput(f"--currency: expected CODE or NAME=CODE, USD say, each once; found {text!r}")
        codes[name] = code
    home = codes.pop("", "")
    foreign = {name: code for name, code in codes.items() if code != home}
    if (codes or has_rates) and not home:
        raise BadInput("--currency: expected the account's, as --currency USD, with those of instruments and --rates")
    if bool(foreign) != has_rates:
        raise BadInput("--rates: expected it with --currency NAME=CODE of another currency, found one of them")
    return home, codes


def convertible(bars: Sequence[Bars], home: str, currencies: Mapping[str, str], file: RateFile | None) -> list[Bars]:
    """Add to bars the rates of their currencies.

    Raises:
        BadInput: a currency belongs to no instrument, or the file lacks its rates for the time of the bars.
    """
    names = [series.name for series in bars]
    for name in currencies:
        if name not in names:
            raise BadInput(f"--currency: expected one of {', '.join(names)}, found {name!r}")
    if file is None:
        return list(bars)
    return [
        series
        if (code := currencies.get(series.name, home)) == home
        else replace(series, rates=file.between(code, home, int(series.open_time[0]), int(series.time[-1])))
        for series in bars
    ]
