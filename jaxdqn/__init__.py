"""jaxdqn: the Deep-Q-Network family as pure functions in JAX, from a game to a figure."""

__version__ = "0.1.0"
