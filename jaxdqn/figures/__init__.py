"""Figures, drawn from result files only; each carries how its numbers came about. No JAX."""
