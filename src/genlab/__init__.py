"""genlab: four small generative models, trained, swept and judged by numbers."""

__version__ = "0.1.0"
