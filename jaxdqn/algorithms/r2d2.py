"""R2D2: a recurrent network, trained on sequences that start with the stored memory of the network that acted.

Paper: Kapturowski et al., "Recurrent Experience Replay in Distributed Reinforcement Learning", ICLR 2019, sections 2.3
and 3; without its distribution over machines. With `burn_in = 0` and uniform replay it is DRQN (Hausknecht and
Stone 2015) from stored states, with double Q-learning and rescaled values.
Differs from the paper: sequences may start at any step and run over the end of an episode, where the memory starts
anew; n-step returns are cut at the end of a sequence; the configuration is one for small games, without dueling
streams, and its network sees observations only.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number, part, static
from jaxdqn.interfaces import TRANSITIONS, Array, Key, LossOutput, Network, Parameters, Requires, Sample, Sequence
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.sequences import Priorities, Sequences


@configuration
class R2D2:
    """Recurrent double Q-learning with rescaled values.

    Attributes:
      error: loss applied to the TD error.
      burn_in: steps at the start of a sequence that only bring the memory up to date.
      eps: of the rescaling of values, `targets.signed_hyperbolic`.
      eta: how much the largest error of a sequence counts for its priority; their mean counts for the rest.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently

    error: losses.ErrorLoss = part(losses.SquaredError())
    burn_in: int = static(4, at_least=0)
    eps: float = number(1e-3, at_least=0)
    eta: float = number(0.9, at_least=0, at_most=1)

    @property
    def requires(self) -> Requires:
        """Returns what it requires of the other parts: sequences with at least one step after the burn-in."""
        return TRANSITIONS._replace(recurrent=True, sample=Sequence, min_length=self.burn_in + 1, passes=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each sequence, the mean over its steps after the burn-in of
        `error(h(r_t + discount_t · h⁻¹(q_t[a*])) − q_tm1[a_tm1])`, where `a* = argmax_a q_t_selector[a]`.

        Args:
          network: a recurrent one.
          parameters: online parameters, which choose `a*`; the gradient flows through `q_tm1`, not into the burn-in.
          target_parameters: target-network parameters, which give the value of `a*`, with a burn-in of their own.
          sample: `[B]` sequences.
          key: unused; no recurrent network is random.
        """
        del key
        sequence, first = sample.transition, self.burn_in
        q_tm1, q_t_selector = _values(network, parameters, sequence, first)
        _, q_t = _values(network, target_parameters, sequence, first)
        taken = jax.tree.map(lambda x: x[:, first:], (sequence.a_tm1, sequence.r_t, sequence.discount_t))
        of_steps = jax.vmap(jax.vmap(lambda *arguments: targets.rescaled_double_q_learning(*arguments, eps=self.eps)))
        td_errors = of_steps(q_tm1, *taken, q_t, q_t_selector)
        size = jnp.abs(td_errors)
        mean_size = size.mean(-1)
        return LossOutput(
            loss=self.error(td_errors).mean(-1),
            priority=self.eta * size.max(-1) + (1 - self.eta) * mean_size,
            metrics={"td_error": mean_size, "max_q": q_tm1.max(-1).mean(-1)},
        )


def _values(network: Network, parameters: Parameters, sequence: Sequence, first: int) -> tuple[Array, Array]:
    """Returns the values `[B, T - first, A]` of `s_tm1` and of `s_t`, each after all that came before it."""
    assert network.unroll is not None  # `requires.recurrent`
    assert network.unroll_step is not None
    memory = sequence.memory
    early, late = (
        jax.tree.map(lambda x, s=s: x[:, s], (sequence.s_tm1, sequence.is_first))
        for s in (slice(first), slice(first, None))
    )
    warm = None
    if first:
        _, warm = network.unroll(parameters, early[0], memory, early[1])
        warm = jax.lax.stop_gradient(warm)
        memory = warm[:, -1]
    output, memories = network.unroll(parameters, late[0], memory, late[1])
    last = sequence.last[:, first:] - first
    before_next = jnp.take_along_axis(memories, last[..., None], axis=1)  # after the last of the n steps
    s_t = jax.tree.map(lambda x: x[:, first:], sequence.s_t)
    after, _ = network.unroll_step(parameters, s_t, jax.lax.stop_gradient(before_next))
    return output.q_values, jax.lax.stop_gradient(after.q_values)


CONFIG = Config(
    algorithm=R2D2(),
    n_step=3,
    batch_size=32,
    network=QNetwork(Dense((64,)), memory=LSTM()),
    replay=Sequences(capacity=50_000, length=20, priorities=Priorities()),
)
