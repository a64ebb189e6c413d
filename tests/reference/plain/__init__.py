"""A training run in plain NumPy, float64: no JAX and nothing of jaxdqn, written from the papers, to compare with."""
