"""Runs for other tools: tables as CSV, and point by point to TensorBoard or Weights & Biases. No JAX."""
