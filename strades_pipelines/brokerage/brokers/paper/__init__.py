"""The paper venue: orders of every kind, filled from stored bars by the backtest's own simulated broker."""

from strades_pipelines.brokerage.brokers.paper.broker import PaperBroker as PaperBroker
