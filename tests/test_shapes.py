"""Public equations refuse arrays of other ranks, shapes or types, which would broadcast without complaint."""

import jax.numpy as jnp
import pytest

from jaxdqn import distributional, exploration, returns, targets

Q, A, R, D = jnp.zeros(3), jnp.int32(0), jnp.float32(0.0), jnp.float32(0.9)
QS = jnp.zeros((2, 3))
MUNCHAUSEN = {"temperature": 0.03, "scale": 0.9, "clip": -1.0}
PAIR, THREE, FLAGS = jnp.full(2, 0.5), jnp.arange(3.0), jnp.zeros(3, bool)

# Each equation with arguments of one transition, and the number of one argument with a value that does not fit it.
CASES = [
    (targets.q_learning, (Q, A, R, D, Q), {}, [(0, QS), (1, A[None]), (1, R), (2, R[None]), (3, D[None]), (4, QS)]),
    (targets.double_q_learning, (Q, A, R, D, Q, Q), {}, [(0, QS), (2, R[None]), (4, QS), (5, jnp.zeros(2))]),
    (targets.clipped_double_q_learning, (Q, A, R, D, QS, Q), {}, [(0, QS), (4, Q), (5, QS)]),
    (targets.averaged_q_learning, (Q, A, R, D, QS), {}, [(0, QS), (3, D[None]), (4, Q)]),
    (targets.munchausen_q_learning, (Q, A, R, D, Q, Q), MUNCHAUSEN, [(0, QS), (4, QS), (5, QS)]),
    (targets.munchausen_bonus, (Q, A), MUNCHAUSEN, [(0, QS), (1, A[None]), (1, R)]),
    (targets.scaled_log_policy, (Q,), {"temperature": 1.0}, [(0, QS)]),
    (targets.soft_value, (Q, Q), {"temperature": 1.0}, [(0, QS), (1, QS)]),
    (targets.rescaled_double_q_learning, (Q, A, R, D, Q, Q), {"eps": 1e-3}, [(0, QS), (3, D[None]), (5, QS)]),
    (targets.signed_hyperbolic, (R,), {}, [(0, A)]),
    (targets.signed_parabolic, (R,), {}, [(0, A)]),
    (targets.q_lambda, (Q, Q, FLAGS, Q), {"lambda_": 0.5}, [(0, QS), (1, D), (2, Q), (3, R)]),
    (distributional.project_categorical, (THREE, Q, THREE), {}, [(0, QS), (1, QS), (2, QS)]),
    (distributional.categorical_target, (R, D, Q, THREE), {}, [(0, R[None]), (1, Q), (2, QS), (3, QS)]),
    (distributional.cross_entropy, (Q, Q), {}, [(0, QS), (1, QS)]),
    (distributional.kl_divergence, (Q, Q), {}, [(0, QS), (1, QS)]),
    (distributional.hl_gauss_target, (R, THREE), {"sigma": 1.0}, [(0, R[None]), (1, QS)]),
    (distributional.quantile_huber_loss, (Q, Q, PAIR), {"kappa": 1.0}, [(0, QS), (1, PAIR), (2, QS)]),
    (distributional.fraction_gradient, (PAIR, Q), {}, [(0, QS), (1, PAIR)]),
    (distributional.fraction_loss, (PAIR, PAIR, Q), {}, [(0, R), (1, Q), (2, PAIR)]),
    (distributional.wasserstein, (Q, Q, PAIR, PAIR), {}, [(0, QS), (1, PAIR), (2, R), (3, Q)]),
    (exploration.epsilon_greedy, (QS, 0.1, PAIR, jnp.zeros(2, int)), {}, [(0, Q), (2, R), (3, A)]),
    (returns.n_step, (Q, FLAGS, FLAGS, A, D), {}, [(0, QS), (1, Q), (2, FLAGS[:2]), (3, A[None])]),
]


@pytest.mark.parametrize(("equation", "arguments", "named", "wrong"), CASES, ids=[case[0].__name__ for case in CASES])
def test_an_equation_takes_one_transition_and_nothing_else(equation, arguments, named, wrong):
    equation(*arguments, **named)
    for place, value in wrong:
        changed = [*arguments[:place], value, *arguments[place + 1 :]]
        with pytest.raises(AssertionError, match="Chex"):
            equation(*changed, **named)
