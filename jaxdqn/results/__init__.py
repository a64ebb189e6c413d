"""Results: one immutable record per run, how runs are picked, and what is computed over their seeds. No JAX."""
