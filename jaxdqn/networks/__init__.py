"""Networks: flax.linen modules as pairs of pure functions, each with `q_values` in its output."""
