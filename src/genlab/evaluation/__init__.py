"""Measures of trained models, one a file: pure functions, and an evaluator that applies them."""
