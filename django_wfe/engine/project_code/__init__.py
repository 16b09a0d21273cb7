"""The project's code: its classes, the files behind them, the definitions recorded from them."""
