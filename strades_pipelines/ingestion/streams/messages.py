"""The messages of a stream, from the places of its protocol and the instruments that are wanted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from strades_pipelines.datamanager.protocol import Protocol, Stream
from strades_pipelines.datamanager.sources import Instrument
from strades_pipelines.settings import missing_secret, secret
from strades_pipelines.system.secret_values import remember_secret

OWN_PLACES = ("{symbol}", "{symbol_lower}", "{interval}")


def topic_of(protocol: Protocol, instrument: Instrument) -> str:
    """The text by which frames name an instrument."""
    assert protocol.stream is not None
    return _filled(protocol.stream.topic, _words(protocol, instrument))


def connection_url(protocol: Protocol, instruments: Sequence[Instrument]) -> str:
    """The provider's address, with the topics where it takes them there."""
    assert protocol.stream is not None
    topics = "/".join(quote(topic_of(protocol, instrument), safe="@_") for instrument in instruments)
    return protocol.stream.url.replace("{topics}", topics)


def subscriptions(protocol: Protocol, instruments: Sequence[Instrument], now: datetime) -> list[str]:
    """What is sent once the connection is open, as JSON texts in order.

    Args:
        now: the time that messages state, aware.
    """
    assert protocol.stream is not None
    messages: dict[str, None] = {}  # two instruments of one symbol ask for its trades once
    for template in protocol.stream.subscribe:
        is_own = any(place in json.dumps(template) for place in OWN_PLACES)
        # A message without a place of an instrument's is for the whole connection, and sent once.
        for instrument in instruments if is_own else instruments[:1]:
            message = _message(template, _words(protocol, instrument), instruments, now)
            messages[json.dumps(message, separators=(",", ":"))] = None
    return list(messages)


def login_message(stream: Stream) -> str | None:
    """The message that a venue wants first, with its keys, which are masked from now on; None where it wants none.

    Raises:
        ValueError: a key is not set; names its variable.
    """
    if stream.login is None:
        return None
    message = dict(stream.login.message)
    for name, variable in stream.login.secrets.items():
        value = secret(variable)
        if value is None:
            raise ValueError(missing_secret(variable))
        remember_secret(value)
        message[name] = value
    return json.dumps(message, separators=(",", ":"))


def ping_message(stream: Stream, now: datetime) -> str | None:
    """The message that keeps the connection open, or None where the WebSocket's own ping does."""
    if stream.ping is None:
        return None
    return json.dumps(_message(stream.ping, {}, (), now), separators=(",", ":"))


def _message(template: Any, words: Mapping[str, str], instruments: Sequence[Instrument], now: datetime) -> Any:
    if isinstance(template, dict):
        return {key: _message(value, words, instruments, now) for key, value in template.items()}
    if isinstance(template, list):
        return [item for value in template for item in _items(value, words, instruments, now)]
    if template == "{now}":
        return int(now.timestamp())
    return _filled(template, words) if isinstance(template, str) else template


def _items(value: Any, words: Mapping[str, str], instruments: Sequence[Instrument], now: datetime) -> Iterator[Any]:
    if value == "{symbols}":
        yield from dict.fromkeys(instrument.symbol for instrument in instruments)
    else:
        yield _message(value, words, instruments, now)


def _words(protocol: Protocol, instrument: Instrument) -> Mapping[str, str]:
    interval = protocol.ask.intervals.get(instrument.interval, instrument.interval)
    return {"symbol": instrument.symbol, "symbol_lower": instrument.symbol.lower(), "interval": interval}


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text
