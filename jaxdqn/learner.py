"""The learner: from a batch to new parameters, the same for every algorithm."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdqn import action_masks, noise, optimizers
from jaxdqn.config import Config
from jaxdqn.game_interfaces import AnyGame
from jaxdqn.interfaces import Array, Key, LearnerState, LossOutput, Network, Parameters, Sample


class UpdateInfo(NamedTuple):
    """Diagnostics of one update. Only replay reads `priority`.

    Attributes:
      loss: float32 `[]`, weighted mean over the batch.
      metrics: float32 `[]` by name, mean over the batch of what the loss returned, each example counting once.
      gradient_norm: float32 `[]`, over all parameters, before clipping.
      priority: float32 `[B]`, for replay.
    """

    loss: Array
    metrics: dict[str, Array]
    gradient_norm: Array
    priority: Array


class Learner(NamedTuple):
    """Learning as pure functions.

    Attributes:
      network: from observations to action values.
      init: `key -> LearnerState`.
      noise: `key -> key`, draws the noise of all passes of one update ahead, if the algorithm states their number
        (`Requires.passes`), so that many updates draw at once. `update` takes the result in place of the key.
      update: `(state, Sample, key, steps_before, steps_after, episodes) -> (state, UpdateInfo)`, one gradient step for
        each minibatch of the sample; the counts are the environment steps before and after the update, and the
        episodes so far.
      after_update: `(key, state, steps) -> state`, of `config.after_update`; None if there is none.
    """

    network: Network
    init: Callable[[Key], LearnerState]
    noise: Callable[[Key], Any]
    update: Callable[[LearnerState, Sample, Any, Array, Array, Array], tuple[LearnerState, UpdateInfo]]
    after_update: Callable[[Key, LearnerState, Array], LearnerState] | None


def make(config: Config, game: AnyGame, observation_dtype: np.typing.DTypeLike = np.float32) -> Learner:
    """Returns the learner of a configuration on a game whose observations have this dtype."""
    made = config.network.make(game.observation_shape, game.num_actions, observation_dtype)
    network = action_masks.for_game(made, game)
    number, passes = config.num_minibatches, config.algorithm.requires.passes

    def optimizer(steps: Array, episodes: Array) -> optax.GradientTransformation:
        rate: Any = config.learning_rate  # a number, as optax types it, or an array in a compiled program
        if config.learning_rate_schedule is not None:
            rate = rate * config.learning_rate_schedule(steps, episodes)
        return optimizers.transformation(config.optimizer, rate, config.max_gradient_norm)

    def init(key: Key) -> LearnerState:
        parameters, zero = network.init(key), jnp.int32(0)
        optimizer_state = optimizer(zero, zero).init(parameters)  # does not depend on the learning rate
        return LearnerState(parameters, config.target_update.init(parameters), optimizer_state, zero)

    def noise_of_update(key: Key) -> Any:
        if number == 1:
            return noise.ahead(network, key, passes)
        return jax.vmap(lambda key: noise.ahead(network, key, passes))(jax.random.split(key, number))

    def weighted_loss(
        parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Any
    ) -> tuple[Array, LossOutput]:
        output = config.algorithm.loss(network, parameters, target_parameters, sample, key)
        return jnp.mean(sample.weight * output.loss), output

    def step(
        state: LearnerState, sample: Sample, key: Any, steps_before: Array, steps_after: Array, episodes: Array
    ) -> tuple[LearnerState, UpdateInfo]:
        differentiate = jax.value_and_grad(weighted_loss, has_aux=True)
        (loss, output), gradient = differentiate(state.parameters, state.target_parameters, sample, key)
        transformation = optimizer(steps_before, episodes)
        changes, optimizer_state = transformation.update(gradient, state.optimizer_state, state.parameters)
        parameters = optax.apply_updates(state.parameters, changes)
        target_parameters = config.target_update(parameters, state.target_parameters, steps_before, steps_after)
        info = UpdateInfo(
            loss=loss,
            metrics={name: values.mean() for name, values in output.metrics.items()},
            gradient_norm=optax.tree.norm(gradient),
            priority=output.priority,
        )
        return LearnerState(parameters, target_parameters, optimizer_state, state.num_updates + 1), info

    def update(
        state: LearnerState, sample: Sample, key: Any, steps_before: Array, steps_after: Array, episodes: Array
    ) -> tuple[LearnerState, UpdateInfo]:
        if number == 1:
            return step(state, sample, key, steps_before, steps_after, episodes)
        minibatches = jax.tree.map(lambda x: x.reshape(number, -1, *x.shape[1:]), sample)
        keys = jax.random.split(key, number) if noise.is_key(key) and key.ndim == 0 else key
        # The steps are divided among the minibatches, so that exactly one of them makes a copy of the target network.
        shares = steps_before + (steps_after - steps_before) * jnp.arange(number + 1, dtype=jnp.int32) // number
        state, info = jax.lax.scan(
            lambda state, x: step(state, *x, episodes), state, (minibatches, keys, shares[:-1], shares[1:])
        )
        priority = info.priority.reshape(-1)
        return state, jax.tree.map(lambda x: x.mean(), info)._replace(priority=priority)

    def restart(optimizer_state: Any, fresh: Any, chosen: Parameters) -> Any:
        shapes = jax.eval_shape(network.init, jax.random.key(0))
        return optimizers.restarted(config.optimizer, optimizer_state, fresh, chosen, shapes)

    after_update = None if config.after_update is None else config.after_update.make(init, restart)
    return Learner(network, init, noise_of_update, update, after_update)
