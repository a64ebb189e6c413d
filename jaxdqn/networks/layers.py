"""Layers of torsos and heads: dense or noisy, with layer normalisation or without."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import flax.linen as nn

from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import Array
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.noisy import Noisy, NoisyDense

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": nn.relu, "tanh": nn.tanh}
INITIALIZERS = {"lecun_normal": nn.initializers.lecun_normal, "glorot_uniform": nn.initializers.glorot_uniform}


@configuration
class LayerNorm:
    """Layer normalisation before the activation of each hidden layer (Ba et al. 2016; Gallici et al. 2025).

    Attributes:
      epsilon: added to the variance before its root is taken.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently

    epsilon: float = number(1e-6, above=0)


class Layers(NamedTuple):
    """Makes the layers of one network. Call the methods inside a compact flax module, which holds the parameters.

    Attributes:
      num_actions: number of actions of the game, A.
      activation: a name of `ACTIVATIONS`, applied after each hidden layer.
      initializer: a name of `INITIALIZERS`, of the weights of layers without noise.
      noisy: noise on the weights of every dense layer; None is none.
      normalisation: before each activation; None is none.
      dueling: two streams at the end; None is one stream.
    """

    num_actions: int
    activation: str
    initializer: str
    noisy: Noisy | None
    normalisation: LayerNorm | None
    dueling: Dueling | None

    def dense(self, x: Array, features: int) -> Array:
        """Returns the output `[..., features]` of one linear layer, noisy where the network is."""
        if self.noisy is not None:
            return NoisyDense(features, self.noisy.scale)(x)
        return nn.Dense(features, kernel_init=INITIALIZERS[self.initializer]())(x)

    def hidden(self, x: Array, widths: tuple[int, ...]) -> Array:
        """Returns features `[..., widths[-1]]`, after hidden layers of these widths."""
        for features in widths:
            x = self.dense(x, features)
            if self.normalisation is not None:
                # The fast variance, E[x²] − E[x]², cancels in float32 where the mean is large.
                x = nn.LayerNorm(epsilon=self.normalisation.epsilon, use_fast_variance=False)(x)
            x = ACTIVATIONS[self.activation](x)
        return x
