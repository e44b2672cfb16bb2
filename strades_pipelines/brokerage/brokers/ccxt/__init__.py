"""Any venue that ccxt knows, through ccxt; Gate.io is the one that is tested."""

from strades_pipelines.brokerage.brokers.ccxt.broker import CcxtBroker as CcxtBroker
