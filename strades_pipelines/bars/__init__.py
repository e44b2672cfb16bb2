"""Files of bars, trades, corporate actions and exchange rates: read, checked, adjusted."""
