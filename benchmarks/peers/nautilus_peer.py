"""nautilus_trader: on_bar for each bar; a trade at each open fills what was decided before it. One instrument only."""

from decimal import Decimal

import nautilus_trader
from common import CASH, FAST, FEE, SLOW, bars, report
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, TraderId, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
MINUTE = 60_000_000_000
PAIR = CurrencyPair(
    instrument_id=InstrumentId(Symbol("BUSDT"), VENUE),
    raw_symbol=Symbol("BUSDT"),
    base_currency=BTC,
    quote_currency=USDT,
    price_precision=3,
    size_precision=0,
    price_increment=Price.from_str("0.125"),
    size_increment=Quantity.from_int(1),
    maker_fee=Decimal(str(FEE)),
    taker_fee=Decimal(str(FEE)),
    ts_event=0,
    ts_init=0,
)
BARS = BarType.from_str(f"{PAIR.id}-1-MINUTE-LAST-EXTERNAL")


class Cross(Strategy):  # type: ignore[misc]
    """One unit while the fast mean is above."""

    def on_start(self):  # type: ignore[no-untyped-def]
        """The means."""
        self.fills, self.one = 0, Quantity.from_int(1)
        self.fast, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
        for mean in (self.fast, self.slow):
            self.register_indicator_for_bars(BARS, mean)
        self.subscribe_bars(BARS)

    def on_bar(self, bar):  # type: ignore[no-untyped-def]
        """Compare at the close."""
        if not self.slow.initialized:
            return
        if self.fast.value > self.slow.value:
            if self.portfolio.is_flat(PAIR.id):
                self.submit_order(self.order_factory.market(PAIR.id, OrderSide.BUY, self.one))
        elif self.portfolio.is_net_long(PAIR.id):
            self.submit_order(self.order_factory.market(PAIR.id, OrderSide.SELL, self.one))

    def on_order_filled(self, event):  # type: ignore[no-untyped-def]
        """Count what is done."""
        self.fills += 1


def engine() -> BacktestEngine:
    """With all bars, and a trade at each open, as it wants them."""
    quiet = {"logging": LoggingConfig(bypass_logging=True), "risk_engine": RiskEngineConfig(bypass=True)}
    made = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("B-1"), run_analysis=False, **quiet))
    start = [Money(CASH, USDT), Money(0, BTC)]
    # What is decided at a close arrives after it, and before the next open, which is 1,000 ns later.
    delay = LatencyModel(base_latency_nanos=100)
    made.add_venue(
        VENUE, OmsType.NETTING, AccountType.CASH, start, base_currency=None, bar_execution=False, latency_model=delay
    )
    made.add_instrument(PAIR)
    size, number = Quantity.from_int(1_000_000), TradeId("1")
    found, opens = [], []
    for k, row in enumerate(DATA.tolist()):
        prices = [Price(price, 3) for price in row[:4]]
        at, known = k * MINUTE + 1_000, (k + 1) * MINUTE
        opens.append(TradeTick(PAIR.id, prices[0], size, AggressorSide.NO_AGGRESSOR, number, at, at))
        found.append(Bar(BARS, *prices, size, known, known))
    made.add_data(found)
    made.add_data(opens)
    made.add_strategy(STRATEGY)
    return made


def run() -> tuple[int, float]:
    """The run alone."""
    ENGINE.run()
    cash = float(ENGINE.cache.account_for_venue(VENUE).balance_total(USDT).as_double())
    held = sum(float(position.quantity) for position in ENGINE.cache.positions_open())
    return STRATEGY.fills, cash + held * DATA[-1, 3] - CASH


[DATA] = bars()
STRATEGY = Cross(StrategyConfig(strategy_id="X-1"))
ENGINE = engine()
report(nautilus_trader.__version__, len(DATA), run)
