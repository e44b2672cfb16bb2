"""Alpaca's Trading API v2, through its own client alpaca-py."""

from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker as AlpacaBroker
