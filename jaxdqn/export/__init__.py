"""Exports stored runs to CSV, data frames, TensorBoard and Weights & Biases, without JAX."""
