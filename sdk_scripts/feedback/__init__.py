"""What annotators say back, grouped by meaning, and what was done about it."""
