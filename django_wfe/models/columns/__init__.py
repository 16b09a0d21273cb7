"""Kinds of columns and indexes that several tables use."""
