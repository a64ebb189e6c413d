"""The learner: from a batch to new parameters, the same for every algorithm."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdqn import optimizers
from jaxdqn.config import Config
from jaxdqn.interfaces import Algorithm, AnyGame, Array, Key, LossOutput, Network, Parameters, Sample


class LearnerState(NamedTuple):
    """What learning carries from update to update.

    Attributes:
      parameters: those that act and learn.
      target_parameters: those that judge what comes next.
      optimizer_state: as optax has it.
      num_updates: int32 `[]`, gradient steps so far.
    """

    parameters: Parameters
    target_parameters: Parameters
    optimizer_state: Any
    num_updates: Array


class UpdateInfo(NamedTuple):
    """What a person wants to see of one update; nothing reads it back but `priority`.

    Attributes:
      loss: float32 `[]`, weighted mean over the batch.
      td_error: float32 `[]`, mean size of the error over the batch, each example counting once.
      max_q: float32 `[]`, mean over the batch of the largest action value, likewise.
      gradient_norm: float32 `[]`, over all parameters, before clipping.
      priority: float32 `[B]`, for replay.
    """

    loss: Array
    td_error: Array
    max_q: Array
    gradient_norm: Array
    priority: Array


class Learner(NamedTuple):
    """Learning as pure functions.

    Attributes:
      network: from observations to action values.
      init: `key -> LearnerState`.
      draw: `key -> chances`, what the networks draw in one update, ahead of it.
      update: `(state, Sample, chances, steps_before, steps_after) -> (state, UpdateInfo)`, one gradient step for each
        minibatch of the sample; the counts are the environment steps between which the update stands.
    """

    network: Network
    init: Callable[[Key], LearnerState]
    draw: Callable[[Key], Any]
    update: Callable[[LearnerState, Sample, Any, Array, Array], tuple[LearnerState, UpdateInfo]]


def chances(algorithm: Algorithm, network: Network, key: Key) -> Any:
    """Returns what the networks draw in one loss, as the algorithm takes it: a tuple of so many, or the key itself.

    Args:
      algorithm: whose loss it is for.
      network: that draws.
      key: consumed.
    """
    if algorithm.num_draws is None:
        return key
    drawn = jax.vmap(network.draw)(jax.random.split(key, algorithm.num_draws))
    # Arrays of their own for each pass: what a loop over weights cuts out of a larger one, it reads number by number.
    return tuple(jax.tree.map(lambda x, i=i: x[i], drawn) for i in range(algorithm.num_draws))


def make(config: Config, game: AnyGame) -> Learner:
    """Returns the learner of a configuration on a game."""
    network = config.network.make(game.observation_shape, game.num_actions)
    optimizer = optimizers.with_clipping(config.optimizer.make(config.learning_rate), config.max_gradient_norm)

    def init(key: Key) -> LearnerState:
        parameters = network.init(key)
        return LearnerState(parameters, config.target_update.init(parameters), optimizer.init(parameters), jnp.int32(0))

    def draw(key: Key) -> Any:
        number = config.num_minibatches
        if number == 1:
            return chances(config.algorithm, network, key)
        return jax.vmap(lambda key: chances(config.algorithm, network, key))(jax.random.split(key, number))

    def weighted_loss(
        parameters: Parameters, target: Parameters, sample: Sample, chances: Any
    ) -> tuple[Array, LossOutput]:
        output = config.algorithm.loss(network, parameters, target, sample, chances)
        return jnp.mean(sample.weight * output.loss), output

    def step(
        state: LearnerState, sample: Sample, chances: Any, steps_before: Array, steps_after: Array
    ) -> tuple[LearnerState, UpdateInfo]:
        differentiate = jax.value_and_grad(weighted_loss, has_aux=True)
        (loss, output), gradient = differentiate(state.parameters, state.target_parameters, sample, chances)
        changes, optimizer_state = optimizer.update(gradient, state.optimizer_state, state.parameters)
        parameters = optax.apply_updates(state.parameters, changes)
        target = config.target_update(parameters, state.target_parameters, steps_before, steps_after)
        info = UpdateInfo(
            loss=loss,
            td_error=jnp.abs(output.td_error).mean(),
            max_q=output.max_q.mean(),
            gradient_norm=optax.tree.norm(gradient),
            priority=output.priority,
        )
        return LearnerState(parameters, target, optimizer_state, state.num_updates + 1), info

    def update(
        state: LearnerState, sample: Sample, chances: Any, steps_before: Array, steps_after: Array
    ) -> tuple[LearnerState, UpdateInfo]:
        number = config.num_minibatches
        if number == 1:
            return step(state, sample, chances, steps_before, steps_after)
        minibatches = jax.tree.map(lambda x: x.reshape(number, -1, *x.shape[1:]), sample)
        # The steps are shared out among the minibatches, so that each target copy falls to one of them.
        shares = steps_before + (steps_after - steps_before) * jnp.arange(number + 1, dtype=jnp.int32) // number
        state, info = jax.lax.scan(
            lambda state, x: step(state, *x), state, (minibatches, chances, shares[:-1], shares[1:])
        )
        priority = info.priority.reshape(-1)
        return state, jax.tree.map(lambda x: x.mean(), info)._replace(priority=priority)

    return Learner(network, init, draw, update)
