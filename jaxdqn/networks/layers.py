"""Layers of torsos and heads: dense, noisy or convolutional, with layer normalisation or without."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import flax.linen as nn

from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import Array
from jaxdqn.networks.convolution import Convolution
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.noisy import Noisy, NoisyDense

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": nn.relu, "tanh": nn.tanh}
INITIALIZERS = {
    "lecun_normal": nn.initializers.lecun_normal,
    "he_normal": nn.initializers.he_normal,
    "glorot_uniform": nn.initializers.glorot_uniform,
}


@configuration
class LayerNorm:
    """Layer normalisation before the activation of each hidden layer (Ba et al. 2016; Gallici et al. 2025).

    The mean and the variance are over the last axis: the units of a dense layer; the channels of a convolutional layer,
    in each cell of the picture by itself, as in the code of Gallici et al.

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
      noisy: noise on the weights of every dense layer; None is none. Convolutional layers have no noise, as in
        Fortunato et al. (2018).
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

    def convolution(self, x: Array, features: int, size: int, stride: int, padding: str) -> Array:
        """Returns the output `[..., rows, columns, features]` of one convolutional layer with square kernels.

        Args:
          x: float32 `[..., height, width, channels]`.
          features: number of kernels.
          size: height and width of the kernels.
          stride: cells between two patches.
          padding: "VALID" or "SAME", as in `jaxdqn.networks.convolution.convolve`.
        """
        return Convolution(features, size, stride, padding, INITIALIZERS[self.initializer]())(x)

    def activate(self, x: Array) -> Array:
        """Returns the activation of the output of a hidden layer, normalised before it where the network is."""
        if self.normalisation is not None:
            # The fast variance, E[x²] − E[x]², cancels in float32 where the mean is large.
            x = nn.LayerNorm(epsilon=self.normalisation.epsilon, use_fast_variance=False)(x)
        return ACTIVATIONS[self.activation](x)

    def hidden(self, x: Array, widths: tuple[int, ...]) -> Array:
        """Returns features `[..., widths[-1]]`, after hidden layers of these widths."""
        for features in widths:
            x = self.activate(self.dense(x, features))
        return x
