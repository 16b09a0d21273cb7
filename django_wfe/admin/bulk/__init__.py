"""Operator verbs on many Jobs: the actions of the list, their filters, and the bulk runs."""
