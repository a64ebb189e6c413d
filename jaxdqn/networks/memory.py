"""Memory: what a recurrent network keeps from one observation of an episode to the next."""

import flax.linen as nn
import jax.numpy as jnp

from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import Array


@configuration
class LSTM:
    """Long short-term memory with forget gates (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    The memory is one array `[..., 2 · units]`: the cell state c, then the output h. From features x it becomes

        c' = σ(f) c + σ(i) tanh(g),   h' = σ(o) tanh(c'),   each of i, f, g, o being W x + U h + b.

    W starts LeCun normal, U orthogonal, b at zero.

    Attributes:
      units: width of c and of h.
    """

    units: int = static(64, at_least=1)

    @property
    def size(self) -> int:
        """Length of the memory."""
        return 2 * self.units

    def cell(self) -> nn.OptimizedLSTMCell:
        """Returns the flax module that holds the parameters."""
        return nn.OptimizedLSTMCell(self.units)

    def update(self, cell: nn.OptimizedLSTMCell, memory: Array, features: Array) -> Array:
        """Returns the memory `[..., 2 · units]` after features `[..., F]`; gradients flow to both arguments."""
        carry, _ = cell((memory[..., : self.units], memory[..., self.units :]), features)
        return jnp.concatenate(carry, axis=-1)

    def output(self, memory: Array) -> Array:
        """Returns h, `[..., units]`, the features that the head is given."""
        return memory[..., self.units :]
