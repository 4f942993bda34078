"""What genlab does when things go wrong, tried out: ``python -m genlab.torture``."""
