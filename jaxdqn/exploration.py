"""Exploration: how an action follows from action values, random numbers, and a schedule.

A rule is a configuration with five functions: `draw` makes the noise of many choices in one call; `choose` turns a
network's output and the noise of one choice into actions; `random_action` turns that noise alone into uniformly random
ones; `current_value` is the value of the rule's schedule, such as epsilon; `episode_policy` is the part of the policy
that stays the same for an episode, such as the member of an ensemble that acts, `()` for most rules. `requires` says
what the rule requires of the network.

In a game with action masks, the values of illegal actions in the output are far below all others. An illegal action
that a rule chooses all the same is replaced by a random legal one (`jaxdqn.action_masks`).
"""

from typing import ClassVar, NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxdqn import schedules
from jaxdqn.config_fields import configuration, part
from jaxdqn.interfaces import ANY, Array, Key, Number, Requires
from jaxdqn.outputs import AnyOutput, EnsembleOutput
from jaxdqn.schedules import Schedule


def epsilon_greedy(q_values: Array, epsilon: Number, uniform: Array, random_action: Array) -> Array:
    """Returns a random action with probability epsilon, else the one of the largest value (the first of equals).

    Source: Sutton and Barto (2018), section 2.2.

    Args:
      q_values: float32 `[..., A]`.
      epsilon: probability; above 1 it is as 1.
      uniform: float32 `[...]`, drawn from [0, 1): explores where it is below epsilon.
      random_action: int32 `[...]`, drawn from all actions, the greedy one among them.

    Returns:
      int32 `[...]`, no gradient.

    Raises:
      AssertionError: the shapes of values and random numbers do not fit each other.
    """
    chex.assert_shape([uniform, random_action], q_values.shape[:-1])
    return jnp.where(uniform < epsilon, random_action, q_values.argmax(-1)).astype(jnp.int32)


class EpsilonGreedyNoise(NamedTuple):
    """The noise of epsilon-greedy for each choice: a uniform number in [0, 1), and a random action. Both `[...]`."""

    uniform: Array
    random_action: Array


@configuration
class EpsilonGreedy:
    """A random action with probability epsilon, else the greedy one.

    Attributes:
      epsilon: over the run.
    """

    requires: ClassVar[Requires] = ANY

    epsilon: Schedule = part(schedules.Linear())

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> EpsilonGreedyNoise:
        """Returns the noise of choices of this shape. `key` is consumed."""
        uniform_key, action_key = jax.random.split(key)
        uniform = jax.random.uniform(uniform_key, shape)
        return EpsilonGreedyNoise(uniform, jax.random.randint(action_key, shape, 0, num_actions))

    def episode_policy(self, noise: EpsilonGreedyNoise) -> tuple[()]:
        """Returns an empty tuple: every action is chosen on its own."""
        del noise
        return ()

    def choose(
        self, output: AnyOutput, noise: EpsilonGreedyNoise, policy: tuple[()], steps: Array, episodes: Array
    ) -> Array:
        """Returns int32 `[...]` from `q_values` `[..., A]`, no gradient."""
        del policy
        return epsilon_greedy(output.q_values, self.epsilon(steps, episodes), *noise)

    def random_action(self, noise: EpsilonGreedyNoise) -> Array:
        """Returns uniformly random actions, int32 `[...]`."""
        return noise.random_action

    def current_value(self, steps: Array, episodes: Array) -> Array:
        """Returns epsilon, float32 `[]`."""
        return self.epsilon(steps, episodes)


@configuration
class GaussianNoise:
    """The action whose value is largest after noise: `argmax_a (q[a] + scale · N(0, 1))`.

    Attributes:
      scale: standard deviation of the noise over the run, in units of the action values.
    """

    requires: ClassVar[Requires] = ANY

    scale: Schedule = part(schedules.HarmonicPerEpisode())

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> Array:
        """Returns standard normal numbers, float32 `[*shape, A]`. `key` is consumed."""
        return jax.random.normal(key, (*shape, num_actions))

    def episode_policy(self, noise: Array) -> tuple[()]:
        """Returns an empty tuple: every action is chosen on its own."""
        del noise
        return ()

    def choose(self, output: AnyOutput, noise: Array, policy: tuple[()], steps: Array, episodes: Array) -> Array:
        """Returns int32 `[...]` from `q_values` `[..., A]`, no gradient."""
        del policy
        return (output.q_values + self.scale(steps, episodes) * noise).argmax(-1).astype(jnp.int32)

    def random_action(self, noise: Array) -> Array:
        """Returns uniformly random actions, int32 `[...]`: where independent numbers of one kind are largest."""
        return noise.argmax(-1).astype(jnp.int32)

    def current_value(self, steps: Array, episodes: Array) -> Array:
        """Returns the scale, float32 `[]`."""
        return self.scale(steps, episodes)


@configuration
class Boltzmann:
    """An action with probability `softmax(q / temperature)` (Sutton and Barto 2018, equation 2.11), drawn as the
    largest of `q + temperature · g` with Gumbel noise g.

    Attributes:
      temperature: over the run, in units of the action values; 0 is greedy.
    """

    requires: ClassVar[Requires] = ANY

    temperature: Schedule = part(schedules.Linear(start=1.0, end=0.05))

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> Array:
        """Returns standard Gumbel numbers, float32 `[*shape, A]`. `key` is consumed."""
        return jax.random.gumbel(key, (*shape, num_actions))

    def episode_policy(self, noise: Array) -> tuple[()]:
        """Returns an empty tuple: every action is chosen on its own."""
        del noise
        return ()

    def choose(self, output: AnyOutput, noise: Array, policy: tuple[()], steps: Array, episodes: Array) -> Array:
        """Returns int32 `[...]` from `q_values` `[..., A]`, no gradient."""
        del policy
        return (output.q_values + self.temperature(steps, episodes) * noise).argmax(-1).astype(jnp.int32)

    def random_action(self, noise: Array) -> Array:
        """Returns uniformly random actions, int32 `[...]`."""
        return noise.argmax(-1).astype(jnp.int32)

    def current_value(self, steps: Array, episodes: Array) -> Array:
        """Returns the temperature, float32 `[]`."""
        return self.temperature(steps, episodes)


@configuration
class UpperConfidence:
    """The action with the highest upper confidence bound, `argmax_a mean_k q_k[a] + lambda · std_k q_k[a]`, over the
    members of an ensemble (Chen et al. 2017, "UCB Exploration via Q-Ensembles").

    Attributes:
      bonus: schedule of the factor lambda of the standard deviation.
    """

    requires: ClassVar[Requires] = Requires(output=EnsembleOutput)

    bonus: Schedule = part(schedules.Constant(1.0))

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> Array:
        """Returns actions drawn uniformly, int32 `[*shape]`, which fill replay before learning. `key` is consumed."""
        return jax.random.randint(key, shape, 0, num_actions)

    def episode_policy(self, noise: Array) -> tuple[()]:
        """Returns an empty tuple: every action is chosen on its own."""
        del noise
        return ()

    def choose(self, output: EnsembleOutput, noise: Array, policy: tuple[()], steps: Array, episodes: Array) -> Array:
        """Returns int32 `[...]` from `members` `[..., K, A]`, no gradient."""
        del noise, policy
        spread = output.members.std(-2)
        return (output.q_values + self.bonus(steps, episodes) * spread).argmax(-1).astype(jnp.int32)

    def random_action(self, noise: Array) -> Array:
        """Returns uniformly random actions, int32 `[...]`."""
        return noise

    def current_value(self, steps: Array, episodes: Array) -> Array:
        """Returns the factor lambda, float32 `[]`."""
        return self.bonus(steps, episodes)


class OneMemberNoise(NamedTuple):
    """The noise of the rule of one member: that of epsilon-greedy, and 32 bits for a member. All `[...]`."""

    epsilon_greedy: EpsilonGreedyNoise
    bits: Array


@configuration
class OneMember:
    """The greedy action of one member of an ensemble, drawn anew for each episode (Osband et al. 2016, algorithm 1).

    Attributes:
      epsilon: probability of a random action, over the run.
    """

    requires: ClassVar[Requires] = Requires(output=EnsembleOutput)

    epsilon: Schedule = part(schedules.Constant(0.0))

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> OneMemberNoise:
        """Returns the noise of choices of this shape. `key` is consumed."""
        greedy_key, member_key = jax.random.split(key)
        greedy = EpsilonGreedy(self.epsilon).draw(greedy_key, shape, num_actions)
        return OneMemberNoise(greedy, jax.random.bits(member_key, shape))

    def episode_policy(self, noise: OneMemberNoise) -> Array:
        """Returns bits that choose the member of an episode, uint32 `[...]`."""
        return noise.bits

    def choose(
        self, output: EnsembleOutput, noise: OneMemberNoise, policy: Array, steps: Array, episodes: Array
    ) -> Array:
        """Returns int32 `[...]` from `members` `[..., K, A]`, no gradient."""
        num_members = output.members.shape[-2]
        member = (policy % num_members).astype(jnp.int32)
        values = jnp.take_along_axis(output.members, member[..., None, None], axis=-2)[..., 0, :]
        return epsilon_greedy(values, self.epsilon(steps, episodes), *noise.epsilon_greedy)

    def random_action(self, noise: OneMemberNoise) -> Array:
        """Returns uniformly random actions, int32 `[...]`."""
        return noise.epsilon_greedy.random_action

    def current_value(self, steps: Array, episodes: Array) -> Array:
        """Returns epsilon, float32 `[]`."""
        return self.epsilon(steps, episodes)


Exploration = EpsilonGreedy | GaussianNoise | Boltzmann | UpperConfidence | OneMember
