"""The market of dated forecasts: its price, and what a resolution teaches it."""
