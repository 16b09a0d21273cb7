"""Sentences and words in the reader's language, made from what rows hold: codes, states, durations."""
