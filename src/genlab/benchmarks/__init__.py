"""How fast genlab is, beside what people would use instead: ``python -m genlab.benchmarks``, or ``make bench``."""
