"""Heads: the last layers of a network, which predict a distribution of the return of each action.

A head is a configuration that is called inside a compact flax module: `(layers, features [..., F], key) -> output`. Its
`output` is the record that it returns, a class of `jaxdqn.outputs`; `is_random` says whether it draws from the key.
Gradients flow through the output to the features and the parameters, unless a head says otherwise.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdqn import distributional
from jaxdqn.config_fields import configuration, number, part, static
from jaxdqn.distributional import Risk
from jaxdqn.interfaces import Array, Key
from jaxdqn.networks.dueling import action_values
from jaxdqn.networks.layers import Layers
from jaxdqn.outputs import CategoricalOutput, FractionOutput, QuantileOutput


@configuration
class Categorical:
    """Probabilities of fixed returns, the atoms (Bellemare et al. 2017, section 4).

    Attributes:
      num_atoms: number of atoms.
      v_min: smallest atom, in units of the return.
      v_max: largest atom.
    """

    output: ClassVar[type] = CategoricalOutput
    is_random: ClassVar[bool] = False

    num_atoms: int = static(51, at_least=2)
    v_min: float = number(-10.0)
    v_max: float = number(10.0)

    def __call__(self, layers: Layers, features: Array, key: Key | None) -> CategoricalOutput:
        """Returns logits `[..., A, num_atoms]`, the atoms `[num_atoms]` and the means `[..., A]`."""
        del key
        logits = action_values(layers, features, self.num_atoms)
        atoms = self.v_min + (self.v_max - self.v_min) * jnp.linspace(0.0, 1.0, self.num_atoms)
        # All digits: an action is often better by less than what accelerators round a product to.
        q_values = jnp.matmul(jax.nn.softmax(logits), atoms, precision="highest")
        return CategoricalOutput(q_values, logits, atoms)


@configuration
class Quantiles:
    """Quantiles at fixed fractions, the midpoints of N equal intervals (Dabney et al. 2018a, lemma 2).

    Attributes:
      num_quantiles: N.
    """

    output: ClassVar[type] = QuantileOutput
    is_random: ClassVar[bool] = False

    num_quantiles: int = static(51, at_least=1)

    def __call__(self, layers: Layers, features: Array, key: Key | None) -> QuantileOutput:
        """Returns quantiles `[..., A, N]`, their fractions `[..., N]` and means `[..., A]`."""
        del key
        quantiles = action_values(layers, features, self.num_quantiles)
        fractions = jnp.broadcast_to(
            distributional.midpoints(self.num_quantiles), (*features.shape[:-1], self.num_quantiles)
        )
        return QuantileOutput(quantiles.mean(-1), quantiles, fractions)


@configuration
class ImplicitQuantiles:
    """Quantiles at any fractions: `f(ψ(x) ⊙ φ(τ))`, `φ(τ) = relu(W cos(π i τ) + b)` (Dabney et al. 2018b, equation 4).

    The head draws fractions for each example; without a key they are the midpoints of equal intervals.

    Attributes:
      num_quantiles: number of fractions drawn for learning, N and N' of the paper.
      num_policy_quantiles: number of fractions drawn for the values that the policy maximises, K.
      num_cosines: number of cosines in the embedding φ of a fraction, i = 0, 1, ...
      hidden: units of each hidden layer after the product.
      risk: distortion of the policy's fractions.
    """

    output: ClassVar[type] = QuantileOutput
    is_random: ClassVar[bool] = True

    num_quantiles: int = static(16, at_least=1)
    num_policy_quantiles: int = static(16, at_least=1)
    num_cosines: int = static(64, at_least=1)
    hidden: tuple[int, ...] = static((64,), at_least=1)
    risk: Risk = part(distributional.Neutral())

    def __call__(self, layers: Layers, features: Array, key: Key | None) -> QuantileOutput:
        """Returns quantiles `[..., A, N]` at fractions `[..., N]`, and means `[..., A]` at the policy's fractions."""
        batch = features.shape[:-1]
        number = self.num_quantiles + self.num_policy_quantiles
        if key is None:
            both = [distributional.midpoints(self.num_quantiles), distributional.midpoints(self.num_policy_quantiles)]
            fractions = jnp.broadcast_to(jnp.concatenate(both), (*batch, number))
        else:
            fractions = jax.random.uniform(key, (*batch, number))
        learned, policy = jnp.split(fractions, [self.num_quantiles], axis=-1)
        fractions = jnp.concatenate([learned, self.risk(policy)], axis=-1)
        quantiles = _quantiles_at(layers, features, fractions, self.num_cosines, self.hidden)
        learned_quantiles, policy_quantiles = jnp.split(quantiles, [self.num_quantiles], axis=-1)
        return QuantileOutput(policy_quantiles.mean(-1), learned_quantiles, learned)


@configuration
class ProposedFractions:
    """Quantiles at fractions that a layer of the network proposes for each state (Yang et al. 2019, section 3).

    Attributes:
      num_quantiles: number of intervals between proposed fractions, N.
      num_cosines: number of cosines in the embedding of a fraction.
      hidden: units of each hidden layer after the product.
      pace: multiplies the output of the proposing layer before the softmax. It slows that layer down under an optimizer
        such as Adam, whose steps do not depend on the size of a gradient. The paper gives the layer a learning rate of
        its own instead, far smaller than that of the rest.
    """

    output: ClassVar[type] = FractionOutput
    is_random: ClassVar[bool] = False

    num_quantiles: int = static(16, at_least=2)
    num_cosines: int = static(64, at_least=1)
    hidden: tuple[int, ...] = static((64,), at_least=1)
    pace: float = number(0.01, above=0)

    def __call__(self, layers: Layers, features: Array, key: Key | None) -> FractionOutput:
        """Returns quantiles `[..., A, N]` at proposed fractions. The proposal has no gradient to the features."""
        del key
        n = self.num_quantiles
        # Small weights keep the first proposals near uniform, as in the authors' code.
        propose = nn.Dense(n, kernel_init=nn.initializers.variance_scaling(1e-4, "fan_avg", "uniform"), name="proposal")
        log_lengths = jax.nn.log_softmax(self.pace * propose(jax.lax.stop_gradient(features)))
        lengths = jnp.exp(log_lengths)
        inner = jnp.cumsum(lengths, axis=-1)[..., :-1]
        ends = jnp.zeros_like(inner[..., :1])
        boundaries = jnp.concatenate([ends, inner, ends + 1.0], axis=-1)
        fixed = jax.lax.stop_gradient(boundaries)
        middles = (fixed[..., :-1] + fixed[..., 1:]) / 2
        fractions = jnp.concatenate([middles, fixed[..., 1:-1]], axis=-1)
        quantiles, at_boundaries = jnp.split(
            _quantiles_at(layers, features, fractions, self.num_cosines, self.hidden), [n], axis=-1
        )
        return FractionOutput(
            q_values=(quantiles * jnp.diff(fixed)[..., None, :]).sum(-1),
            quantiles=quantiles,
            fractions=middles,
            boundaries=boundaries,
            boundary_quantiles=jax.lax.stop_gradient(at_boundaries),
            entropy=-(lengths * log_lengths).sum(-1),
        )


Head = Categorical | Quantiles | ImplicitQuantiles | ProposedFractions


def _quantiles_at(
    layers: Layers, features: Array, fractions: Array, num_cosines: int, hidden: tuple[int, ...]
) -> Array:
    """Returns the quantiles `[..., A, N]` at fractions `[..., N]` of features `[..., F]`."""
    cosines = jnp.cos(jnp.pi * jnp.multiply.outer(fractions, jnp.arange(num_cosines)))
    embedding = nn.relu(nn.Dense(features.shape[-1], name="fractions")(cosines))  # [..., N, F]
    values = action_values(layers, layers.hidden(features[..., None, :] * embedding, hidden), width=1)  # [..., N, A, 1]
    return jnp.swapaxes(values[..., 0], -1, -2)
