"""The engine's SQL and what carries it: statements, transactions, locks, claims, crash points."""
