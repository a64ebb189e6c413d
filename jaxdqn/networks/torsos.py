"""Torsos: the first layers of a network, from an observation to features.

`Dense` takes any observation, `Conv` and `Impala` take pictures. `NATURE` and the other constants are the convolutional
torsos of papers.
"""

import functools
import math
from typing import Protocol

import jax.numpy as jnp

from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import Array
from jaxdqn.networks.convolution import max_pool
from jaxdqn.networks.layers import Layers


class Torso(Protocol):
    """The type of a torso: a configuration that maps an observation to features.

    Any class with the decorator `jaxdqn.config_fields.configuration` and this method is a torso, also
    one in your own file.
    """

    def __call__(self, layers: Layers, observation: Array, observation_shape: tuple[int, ...]) -> Array:
        """Returns features, float32 `[..., F]`; gradients flow through them to the parameters.

        The network calls this method inside a compact flax module: every layer that the method makes, such as
        `layers.dense(x, 64)` or `nn.Conv(32, (8, 8))(x)`, gets its parameters there. On a CPU,
        `layers.convolution(x, 32, 8, 4, "VALID")` trains several times faster than `nn.Conv`.

        Args:
          layers: makes layers with the activation, initializer, noise and normalisation of the network.
          observation: `[..., *observation_shape]`, as the game gives it: of any dtype, neither cast nor scaled.
          observation_shape: shape of one observation. All axes before it are batch axes.
        """
        ...


@configuration
class Dense:
    """Fully connected layers over the flattened observation, taken as float32.

    Attributes:
      hidden: units of each hidden layer; an empty tuple returns the flattened observation itself.
    """

    hidden: tuple[int, ...] = static((64, 64), at_least=1)

    def __call__(self, layers: Layers, observation: Array, observation_shape: tuple[int, ...]) -> Array:
        """Returns features float32 `[..., hidden[-1]]`; see `Torso`."""
        flat = _flat(observation, num_axes=len(observation_shape)).astype(jnp.float32)
        return layers.hidden(flat, self.hidden)


@configuration
class Conv:
    """Convolutional layers over pictures `[height, width, channels]`, then hidden layers (Mnih et al. 2015).

    Each convolutional layer has square kernels, and the activation of the network after it. Pictures of dtype uint8 are
    scaled by 1/255; those of another dtype, such as bool, are taken as float32. The default is the torso of MinAtar.

    Attributes:
      channels: number of kernels of each convolutional layer.
      kernel_sizes: height and width of the kernels of each layer.
      strides: cells between two patches in each layer.
      padding: "VALID" takes only patches that lie in the picture; "SAME" adds zeros around it, so that a layer divides
        height and width by its stride.
      hidden: units of each hidden layer after the convolutional ones; an empty tuple returns their flattened output.
    """

    channels: tuple[int, ...] = static((16,), at_least=1)
    kernel_sizes: tuple[int, ...] = static((3,), at_least=1)
    strides: tuple[int, ...] = static((1,), at_least=1)
    padding: str = static("VALID", choices=("VALID", "SAME"))
    hidden: tuple[int, ...] = static((128,), at_least=1)

    def __call__(self, layers: Layers, observation: Array, observation_shape: tuple[int, ...]) -> Array:
        """Returns features float32 `[..., hidden[-1]]`; see `Torso`.

        Raises:
          ValueError: the observations are no pictures, the three tuples differ in length, or a kernel is larger than
            the picture that its layer is given.
        """
        if not len(self.channels) == len(self.kernel_sizes) == len(self.strides):
            raise ValueError(
                f"network.torso.channels = {self.channels}, kernel_sizes = {self.kernel_sizes} and strides = "
                f"{self.strides} must have one number for each convolutional layer."
            )
        x = _picture(self, observation, observation_shape)
        for channels, size, stride in zip(self.channels, self.kernel_sizes, self.strides, strict=True):
            height, width = x.shape[-3:-1]
            if self.padding == "VALID" and size > min(height, width):
                raise ValueError(
                    f"network.torso.kernel_sizes = {self.kernel_sizes}: a layer with kernels of {size} x {size} is "
                    f"given pictures of {height} x {width}. Use smaller kernels or strides, or padding = 'SAME'."
                )
            x = layers.activate(layers.convolution(x, channels, size, stride, self.padding))
        return layers.hidden(_flat(x, num_axes=3), self.hidden)


MINATAR = Conv()  # Young and Tian (2019)
NATURE = Conv((32, 64, 64), (8, 4, 3), (4, 2, 1), hidden=(512,))  # Mnih et al. (2015)
DATA_EFFICIENT = Conv((32, 64), (5, 5), (5, 5), hidden=(256,))  # van Hasselt et al. (2019)


@configuration
class Impala:
    """A residual network over pictures `[height, width, channels]` (Espeholt et al. 2018, figure 3, right).

    Each block is a convolution, the maximum over patches of 3 x 3 with stride 2, and two residual units
    `x + conv(f(conv(f(x))))`, where f is the activation of the network. All kernels are 3 x 3 with stride 1 and padding
    "SAME". Pictures of dtype uint8 are scaled by 1/255; those of another dtype are taken as float32.

    Attributes:
      channels: number of kernels in each layer of a block, before `width`.
      width: multiplies `channels`.
      hidden: units of each hidden layer after the last block; an empty tuple returns its flattened output.
    """

    channels: tuple[int, ...] = static((16, 32, 32), at_least=1)
    width: int = static(1, at_least=1)
    hidden: tuple[int, ...] = static((256,), at_least=1)

    def __call__(self, layers: Layers, observation: Array, observation_shape: tuple[int, ...]) -> Array:
        """Returns features float32 `[..., hidden[-1]]`; see `Torso`.

        Raises:
          ValueError: the observations are no pictures.
        """
        x = _picture(self, observation, observation_shape)
        for channels in self.channels:
            convolution = functools.partial(
                layers.convolution, features=self.width * channels, size=3, stride=1, padding="SAME"
            )
            x = max_pool(convolution(x), size=3, stride=2, padding="SAME")
            for _ in range(2):
                x = x + convolution(layers.activate(convolution(layers.activate(x))))
        return layers.hidden(_flat(layers.activate(x), num_axes=3), self.hidden)


def _picture(torso: Conv | Impala, observation: Array, observation_shape: tuple[int, ...]) -> Array:
    """Returns pictures as float32 `[..., height, width, channels]`, those of dtype uint8 scaled to `[0, 1]`."""
    if len(observation_shape) != 3:
        raise ValueError(
            f"network.torso = {type(torso).__name__} needs pictures, observations of shape (height, width, channels), "
            f"and those of this game have shape {observation_shape}: use the torso Dense."
        )
    x = observation.astype(jnp.float32)
    return x * (1 / 255) if observation.dtype == jnp.uint8 else x


def _flat(x: Array, num_axes: int) -> Array:
    """Returns the array with its last axes flattened to one."""
    first = x.ndim - num_axes
    return x.reshape(*x.shape[:first], math.prod(x.shape[first:]))
