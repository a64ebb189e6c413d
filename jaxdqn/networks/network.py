"""Q-networks: torso + memory + head.

    observation [..., *observation_shape] --torso--> features [..., F] --memory--> features [..., H] --head--> output

The output is a record of `jaxdqn.outputs` with `q_values [..., A]`. Without a memory the head follows the torso.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import noise as noises
from jaxdqn.config_fields import configuration, part, static
from jaxdqn.interfaces import Array, Key, Network, Parameters, feed_forward, no_noise
from jaxdqn.networks import frame_stack
from jaxdqn.networks.dueling import Dueling, action_values
from jaxdqn.networks.heads import Head
from jaxdqn.networks.layers import ACTIVATIONS, INITIALIZERS, LayerNorm, Layers
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.noisy import NOISE, Noisy, factorised_noise
from jaxdqn.networks.torsos import Conv, Dense, Impala, Torso
from jaxdqn.outputs import NetworkOutput


@configuration
class QNetwork:
    """Action values of a deep network: torso + memory + head (Mnih et al. 2015).

    Torso, memory and head say which layers the network has; the other fields say how these layers are made.

    Attributes:
      torso: from the observation to features: dense layers, convolutions over pictures, or a class of your own.
      memory: what the network remembers of the episode (Hausknecht and Stone 2015); None makes it feed-forward.
      head: which distribution of the return the network predicts for each action; None predicts its mean only.
      dueling: two streams at the end, a value and advantages; None is one stream.
      noisy: noise on the weights of the dense layers, which then have an initializer of their own; None is no noise.
      normalisation: before the activation of each hidden layer; None is none.
      activation: after each hidden layer of torso, streams and head.
      initializer: of the weights of dense and convolutional layers; biases start at zero. The layer that embeds
        fractions is always LeCun normal, the one that proposes them Glorot uniform scaled by 0.01.
      frames: number of observations that the network sees at once: the last ones of the episode, stacked along the last
        axis, oldest first (Mnih et al. 2015). Zeros stand for observations before the start of the episode.
    """

    torso: Dense | Conv | Impala | Torso = part(Dense())
    memory: LSTM | None = part(None)
    head: Head | None = part(None)
    dueling: Dueling | None = part(None)
    noisy: Noisy | None = part(None)
    normalisation: LayerNorm | None = part(None)
    activation: str = static("relu", choices=tuple(ACTIVATIONS))
    initializer: str = static("lecun_normal", choices=tuple(INITIALIZERS))
    frames: int = static(1, at_least=1, at_most=100, omit_default=True)

    def make(
        self, observation_shape: tuple[int, ...], num_actions: int, observation_dtype: np.typing.DTypeLike = np.float32
    ) -> Network:
        """Returns the network for observations of this shape and dtype.

        The memory of an LSTM is float32 `[2 · units]`: its cell state, then its output, both zero at first. Frames that
        the network remembers keep the dtype of observations.

        Raises:
          ValueError: a network with memory has noise, or a head that draws random numbers. Replay stores memories, and
            the stored memory was computed with different noise than the steps that continue from it.
        """
        shape = frame_stack.stacked_shape(observation_shape, self.frames)
        if self.memory is None:
            network = _feed_forward(self, shape, num_actions)
        elif self.noisy is not None or (self.head is not None and self.head.is_random):
            raise ValueError("network.memory needs network.noisy = None and a network.head without random numbers.")
        else:
            network = _recurrent(self, self.memory, shape, num_actions)
        return frame_stack.over_frames(network, self.frames, observation_shape, observation_dtype)

    @property
    def output(self) -> type:
        """The record that the network returns."""
        return NetworkOutput if self.head is None else self.head.output

    def layers(self, num_actions: int) -> Layers:
        """Returns the layer factory of torso and head."""
        return Layers(num_actions, self.activation, self.initializer, self.noisy, self.normalisation, self.dueling)


class _Noise(NamedTuple):
    """The noise of one pass: of the weights of all layers, and a key for a head that draws for each example."""

    weights: Any
    head_key: Key | None


def _feed_forward(config: QNetwork, observation_shape: tuple[int, ...], num_actions: int) -> Network:
    module = _FeedForward(config, observation_shape, num_actions)

    def init(key: Key) -> Parameters:
        return {"params": module.init(key, jnp.zeros(observation_shape))["params"]}

    # eval_shape keeps this abstract, because no device may start yet: studies are made before devices are chosen.
    template = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros(observation_shape))).get(NOISE)

    def noise(key: Key) -> _Noise:
        weights_key, head_key = jax.random.split(key)
        return _Noise(
            weights=None if template is None else factorised_noise(weights_key, template),
            head_key=head_key if config.head is not None and config.head.is_random else None,
        )

    def apply(parameters: Parameters, observation: Array, key: Any = None) -> Any:
        weights, head_key = noises.of_pass(key, noise) or (None, None)
        if weights is not None:
            parameters = {**parameters, NOISE: weights}
        return module.apply(parameters, observation, head_key)

    return feed_forward(init, apply, config.output, noise)


def _recurrent(config: QNetwork, lstm: LSTM, observation_shape: tuple[int, ...], num_actions: int) -> Network:
    module = _Recurrent(config, lstm, observation_shape, num_actions)
    empty: Any = np.zeros(lstm.size, np.float32)  # in NumPy, because no device may start yet

    def init(key: Key) -> Parameters:
        return module.init(key, jnp.zeros(observation_shape), empty)

    jax.eval_shape(lambda: init(jax.random.key(0)))  # raises an error if the torso does not fit the observation

    def step(parameters: Parameters, observation: Array, memory: Array, key: Any = None) -> Any:
        del key
        return module.apply(parameters, observation, memory)

    def apply(parameters: Parameters, observation: Array, key: Any = None) -> Any:
        # Starts from the zero memory of a new episode; `step` and `unroll` continue from a given memory.
        batch = observation.shape[: observation.ndim - len(observation_shape)]
        return step(parameters, observation, jnp.zeros((*batch, lstm.size)), key)[0]

    def unroll(
        parameters: Parameters, observations: Array, memory: Array, is_first: Array, key: Any = None
    ) -> tuple[Any, Array]:
        # Shapes: observations [B, T, *observation_shape], memory [B, 2 · units], is_first bool [B, T]. Returns the
        # output for [B, T] and the memory after each observation, [B, T, 2 · units].
        del key

        def update(memory: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
            features, is_first = inputs  # of one time step: [B, F], [B]
            memory = jnp.where(is_first[:, None], 0.0, memory)
            memory = module.apply(parameters, memory, features, method="update")  # type: ignore[assignment]
            return memory, memory

        # Only the memory is computed step by step; torso and head are applied to all steps as one batch.
        features: Any = module.apply(parameters, observations, method="features")
        by_time = jnp.swapaxes(features, 0, 1), is_first.T  # [T, B, F], [T, B]
        memories = jnp.swapaxes(jax.lax.scan(update, memory, by_time)[1], 0, 1)
        return module.apply(parameters, memories, method="outcome"), memories

    return Network(init, no_noise, apply, config.output, empty, step, unroll, step, stored_memory=lambda memory: memory)


class _FeedForward(nn.Module):
    """Torso and head as one module, whose layers are counted together: `params/Dense_0`, `params/Dense_1`, ..."""

    config: QNetwork
    observation_shape: tuple[int, ...]
    num_actions: int

    @nn.compact
    def __call__(self, observation: Array, head_key: Key | None = None) -> Any:
        layers = self.config.layers(self.num_actions)
        return _outcome(self.config, layers, self.config.torso(layers, observation, self.observation_shape), head_key)


class _Recurrent(nn.Module):
    """Torso, memory and head as modules of their own: `params/first/Dense_0`, `params/cell`, `params/last/Dense_0`."""

    config: QNetwork
    lstm: LSTM
    observation_shape: tuple[int, ...]
    num_actions: int

    def setup(self) -> None:
        self.first = _First(self.config, self.observation_shape, self.num_actions)
        self.cell = self.lstm.cell()
        self.last = _Last(self.config, self.num_actions)

    def __call__(self, observation: Array, memory: Array) -> tuple[Any, Array]:
        memory = self.update(memory, self.features(observation))
        return self.outcome(memory), memory

    def features(self, observation: Array) -> Array:
        return self.first(observation)

    def update(self, memory: Array, features: Array) -> Array:
        return self.lstm.update(self.cell, memory, features)

    def outcome(self, memory: Array) -> Any:
        return self.last(self.lstm.output(memory))


class _First(nn.Module):
    config: QNetwork
    observation_shape: tuple[int, ...]
    num_actions: int

    @nn.compact
    def __call__(self, observation: Array) -> Array:
        return self.config.torso(self.config.layers(self.num_actions), observation, self.observation_shape)


class _Last(nn.Module):
    config: QNetwork
    num_actions: int

    @nn.compact
    def __call__(self, features: Array) -> Any:
        return _outcome(self.config, self.config.layers(self.num_actions), features, None)


def _outcome(config: QNetwork, layers: Layers, features: Array, head_key: Key | None) -> Any:
    """Returns the output that the head makes of features `[..., F]`; inside a compact module."""
    if config.head is None:
        return NetworkOutput(q_values=action_values(layers, features, width=1)[..., 0])
    return config.head(layers, features, head_key)
