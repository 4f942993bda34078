"""Studies: one sweep each, what is read from its runs, and the verdicts on the claims that it was made to decide."""
