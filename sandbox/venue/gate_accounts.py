"""Gate.io's endpoints besides orders: balances, pairs, currencies, tickers, time.

Margin, futures and options lists are empty, since ccxt requests them all.
"""

from sandbox.venue.calls import Call, PublicCall
from sandbox.venue.checks import reserved
from sandbox.venue.decimals import plain
from sandbox.venue.gate_format import milliseconds, pair_document
from sandbox.venue.orders import ZERO, OrderRefused, Reason
from sandbox.world import Reply, json_reply


def balances(call: Call) -> Reply:
    """`GET /spot/accounts`: what is free, and what open orders hold."""
    currency, rows = call.query.get("currency"), []
    for asset, amount in call.account.balances.items():
        locked = reserved(call.exchange, call.account, asset)
        if currency in (None, asset):
            rows.append(
                {"currency": asset, "available": plain(amount - locked), "locked": plain(locked), "update_id": 1}
            )
    return json_reply(rows)


def detail(call: Call) -> Reply:
    """`GET /account/detail`: mode 1 is the classic account."""
    return json_reply(
        {
            "user_id": call.account.number,
            "ip_whitelist": [],
            "currency_pairs": [],
            "key": {"mode": 1},
            "tier": 0,
            "tier_expire_time": "0001-01-01T00:00:00Z",
            "copy_trading_role": 0,
        }
    )


def time(call: PublicCall) -> Reply:
    """`GET /spot/time`."""
    return json_reply({"server_time": milliseconds(call.exchange.now())})


def pairs(call: PublicCall) -> Reply:
    """`GET /spot/currency_pairs`."""
    return json_reply([pair_document(instrument) for instrument in call.exchange.rules.instruments.values()])


def pair(call: PublicCall) -> Reply:
    """`GET /spot/currency_pairs/{pair}`."""
    instrument = call.exchange.rules.instruments.get(call.parts["pair"])
    if instrument is None:
        raise OrderRefused(Reason.UNKNOWN_SYMBOL, call.parts["pair"])
    return json_reply(pair_document(instrument))


def currencies(call: PublicCall) -> Reply:
    """`GET /spot/currencies`."""
    instruments = call.exchange.rules.instruments.values()
    names = dict.fromkeys(asset for instrument in instruments for asset in (instrument.base, instrument.quote))
    flags = ("delisted", "withdraw_disabled", "withdraw_delayed", "deposit_disabled", "trade_disabled")
    off = dict.fromkeys(flags, False)
    return json_reply([{"currency": name, "name": name, **off, "chain": name, "chains": []} for name in names])


def tickers(call: PublicCall) -> Reply:
    """`GET /spot/tickers`: the last price is also bid and ask; volumes are not known here."""
    pair, rows = call.query.get("currency_pair"), []
    for symbol in call.exchange.rules.instruments:
        if pair in (None, symbol):
            price = plain(call.exchange.price(symbol))
            zero = dict.fromkeys(("change_percentage", "base_volume", "quote_volume"), plain(ZERO))
            prices = dict.fromkeys(("last", "lowest_ask", "highest_bid", "high_24h", "low_24h"), price)
            rows.append({"currency_pair": symbol, **prices, **zero})
    return json_reply(rows)


def empty_list(_: PublicCall) -> Reply:
    """A list of what this venue does not have."""
    return json_reply([])
