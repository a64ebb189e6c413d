"""Dueling networks: a stream for the value of a state and one for the advantages (Wang et al. 2016)."""

from typing import TYPE_CHECKING

from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import Array

if TYPE_CHECKING:
    from jaxdqn.networks.layers import Layers


@configuration
class Dueling:
    """Two streams, a value and advantages: `q = v + a − mean_a a` (Wang et al. 2016, equation 9).

    Attributes:
      hidden: units of each hidden layer of a stream; both streams have the same.
    """

    hidden: tuple[int, ...] = static((64,), at_least=1)


def action_values(layers: "Layers", x: Array, width: int) -> Array:
    """Returns `width` numbers for each action, `[..., A, width]`, from one stream or from the two of dueling."""
    shape = (*x.shape[:-1], layers.num_actions, width)
    if layers.dueling is None:
        return layers.dense(x, layers.num_actions * width).reshape(shape)
    value = layers.dense(layers.hidden(x, layers.dueling.hidden), width)
    advantage = layers.dense(layers.hidden(x, layers.dueling.hidden), layers.num_actions * width).reshape(shape)
    return value[..., None, :] + advantage - advantage.mean(-2, keepdims=True)
