"""Curves: one number by name at the end of each evaluation period, those of every run and an algorithm's own metrics.

Curves of every run; means over nothing are NaN:

    steps              int32, environment steps at the end of the period. In a host game with several copies, a step in
                       which only some of them play and others reset counts for all.
    updates            int32, gradient steps so far
    episodes           int32, training episodes that ended in the period
    episode_return     their mean undiscounted return
    evaluation_return  mean undiscounted return of the evaluation episodes at the end of the period
    exploration        current value of the exploration's schedule at the end: epsilon, or the scale of the noise
    value_error        mean distance of the action values to the exact optimal ones, over observations and actions; NaN
                       if it was not requested or the game does not list its states
    value_bias         mean over observations of the largest value less the exact largest value; above 0 overestimates
    loss               mean over the updates of the period
    gradient_norm      before clipping, likewise

To these comes each metric that the loss returns: the mean over the batch, then over the updates of the period.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.interfaces import Array
from jaxdqn.learner import UpdateInfo
from jaxdqn.training.state import Parts, RunState

COUNTS = ("steps", "updates", "episodes")
FIXED = (
    *COUNTS,
    "episode_return",
    "evaluation_return",
    "exploration",
    "value_error",
    "value_bias",
    "loss",
    "gradient_norm",
)

Curves = dict[str, Any]  # arrays by name, of one point or of many


class Sums(NamedTuple):
    """Sums over an evaluation period.

    Attributes:
      updates: int32 `[]`, batches learned from.
      learning: float32 `[N]`, sums over them: of the loss, of the metrics in alphabetical order, of the gradient norm.
      episodes: int32 `[]`, episodes that ended.
      episode_return: float32 `[]`, sum of their returns.
    """

    updates: Any
    learning: Any
    episodes: Any
    episode_return: Any

    def add(self, info: UpdateInfo) -> "Sums":
        """Returns the sums with one more batch."""
        metrics = [info.metrics[name] for name in sorted(info.metrics)]
        learning = jnp.stack([info.loss, *metrics, info.gradient_norm])
        return self._replace(updates=self.updates + 1, learning=self.learning + learning)


def no_sums(metrics: Sequence[str]) -> Sums:
    """Returns the sums at the start of a period, given the names of the metrics."""
    return Sums(jnp.int32(0), jnp.zeros(2 + len(metrics)), jnp.int32(0), jnp.float32(0.0))


def metric_names(parts: Parts) -> tuple[str, ...]:
    """Returns the names of the metrics that the algorithm's loss returns, in alphabetical order.

    Raises:
      ValueError: a metric has the name of another curve, or is not float32 `[B]`.
    """
    config, network = parts.config, parts.learner.network

    def metrics() -> dict[str, Array]:
        init_key, loss_key = jax.random.split(jax.random.key(0))
        learner, bits = parts.learner.init(init_key), jnp.zeros(config.batch_size, jnp.uint32)
        sample = parts.replay.sample(parts.replay.init(), bits, jnp.int32(0), jnp.int32(0))
        output = config.algorithm.loss(network, learner.parameters, learner.target_parameters, sample, loss_key)
        return output.metrics

    name_of = type(config.algorithm).__name__
    found = jax.eval_shape(metrics)
    for name, values in found.items():
        if name in FIXED:
            raise ValueError(
                f"algorithm = {name_of} returns a metric {name!r}, which every run has a curve of: choose another name."
            )
        if (values.shape, values.dtype) != ((config.batch_size,), jnp.float32):
            raise ValueError(
                f"algorithm = {name_of} returns the metric {name!r} as {values.dtype} {values.shape}: it must be "
                f"float32 ({config.batch_size},), a number for each example of the batch."
            )
    return tuple(sorted(found))


def point(
    parts: Parts,
    metrics: Sequence[str],
    state: RunState,
    sums: Sums,
    evaluation_return: Array,
    value_errors: tuple[Any, Any],
) -> Curves:
    """Returns one point of every curve, at the end of a period.

    Args:
      parts: of the run.
      metrics: their names, as `metric_names` returns them.
      state: at the end of the period.
      sums: over the period.
      evaluation_return: float32 `[]`, the mean.
      value_errors: float32 `[]` each, `value_error` and `value_bias`.
    """
    value_error, value_bias = value_errors
    names = ("loss", *metrics, "gradient_norm")
    return {
        "steps": state.step,
        "updates": state.learner.num_updates,
        "episodes": sums.episodes,
        "episode_return": sums.episode_return / sums.episodes,
        "evaluation_return": evaluation_return,
        **dict(zip(names, sums.learning / sums.updates, strict=True)),
        "exploration": parts.config.exploration.current_value(state.step, state.num_episodes),
        "value_error": value_error,
        "value_bias": value_bias,
    }
