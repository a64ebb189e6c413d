"""Action masks: illegal actions are never taken, and no target depends on their values."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import action_masks, config_fields, exploration, schedules
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.games import exact_values
from jaxdqn.interfaces import MaskedObservation, Return, Sample, Sequence, Step, Transition
from jaxdqn.outputs import EnsembleOutput, NetworkOutput
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from jaxdqn.training import loop, sample_and_learn
from jaxdqn.training.evaluate import Evaluation
from tests.algorithms.test_algorithms import small
from tests.helpers import trap
from tests.helpers.runs import SMALL, advancing, start

pytestmark = pytest.mark.usefixtures("unoptimised")

DISCOUNT = 0.5


def test_an_illegal_action_is_replaced_by_a_uniformly_random_legal_one():
    legal = jnp.tile(jnp.array([False, True, False, True, True]), (30_000, 1))
    action = jnp.arange(30_000, dtype=jnp.int32) % 5
    chosen = action_masks.legal_or_random(action, legal, jax.random.uniform(jax.random.key(0), legal.shape))
    assert chosen.dtype == jnp.int32
    is_legal = np.asarray(action) % 5 != 0
    is_legal &= np.asarray(action) != 2
    np.testing.assert_array_equal(np.asarray(chosen)[is_legal], np.asarray(action)[is_legal])
    frequencies = np.bincount(np.asarray(chosen), minlength=5) / 30_000
    np.testing.assert_allclose(frequencies, [0, 1 / 3, 0, 1 / 3, 1 / 3], atol=0.01)


def test_an_action_stays_where_no_action_is_legal():
    chosen = action_masks.legal_or_random(jnp.array([1]), jnp.zeros((1, 3), bool), jnp.array([[0.9, 0.1, 0.2]]))
    assert chosen.tolist() == [1]


RULES = (
    exploration.EpsilonGreedy(schedules.Constant(0.3)),
    exploration.GaussianNoise(schedules.Constant(100.0)),
    exploration.Boltzmann(schedules.Constant(100.0)),
    exploration.UpperConfidence(schedules.Constant(100.0)),
    exploration.OneMember(schedules.Constant(0.0)),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_chooses_among_the_values_of_legal_actions(rule):
    """The values of illegal actions are huge. Only the uniformly random action of epsilon-greedy may be illegal."""
    members = jax.random.normal(jax.random.key(0), (2_000, 7, 4)).at[..., 2].set(1e6)
    output = EnsembleOutput(members.mean(-2), members)
    legal = jnp.tile(jnp.array([True, False, False, True]), (2_000, 1))
    noise = jax.jit(rule.draw, static_argnums=(1, 2))(jax.random.key(1), (2_000,), 4)
    choose = jax.jit(lambda output: rule.choose(output, noise, rule.episode_policy(noise), 0, 0))
    chosen = choose(action_masks._masked(output, legal))
    of_rule = np.asarray(chosen)[np.asarray(noise.uniform) >= 0.3] if hasattr(noise, "uniform") else chosen
    assert set(np.asarray(of_rule).tolist()) == {0, 3}


def test_values_stay_where_no_action_is_legal():
    output = NetworkOutput(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    masked = action_masks._masked(output, jnp.array([[False, False], [True, False]])).q_values
    np.testing.assert_array_equal(masked, [[1.0, 2.0], [3.0, action_masks.LOWEST]])


def seen(batch, sign, legal):
    """Returns observations `[*batch, 1]` of one sign, with one mask."""
    observation = sign * jax.random.uniform(jax.random.key(3), (*batch, 1), minval=0.1)
    return MaskedObservation(observation, jnp.broadcast_to(jnp.array(legal), (*batch, 3)))


def sample_of(config):
    """Returns four examples: before the step, observations are negative and action 2 is illegal; after it they are
    positive and action 0 is illegal, or all actions where the game terminated.
    """
    batch = (4, config.replay.length) if isinstance(config.replay, Sequences) else (4,)
    number = jnp.arange(4).reshape(4, *[1] * (len(batch) - 1))
    taken, goes_on = (jnp.broadcast_to(x, batch) for x in (number % 2, number < 2))
    s_tm1, s_t = seen(batch, -1.0, [True, True, False]), seen(batch, 1.0, [False, True, True])
    s_t = s_t._replace(legal=s_t.legal & goes_on[..., None])
    reward, discount, flags = jnp.ones(batch), 0.5 * goes_on, jnp.zeros(batch, bool)
    transition = Transition(s_tm1, taken, reward, discount, s_t)
    if isinstance(config.replay, Rollout):
        transition = Return(s_tm1, taken, reward)
    elif isinstance(config.replay, Sequences):
        last = jnp.broadcast_to(jnp.arange(batch[1]), batch)
        memory = jnp.zeros((4, config.network.memory.size))
        transition = Sequence(s_tm1, taken, reward, discount, last, s_t, flags, flags, memory)
    return Sample(transition, jnp.arange(4), jnp.ones(4))


def poisoned(network, poison):
    """Returns a network that predicts these returns of action 2 for negative observations, else of action 0."""

    def spoilt(output, observation):
        is_spoilt = jax.nn.one_hot(jnp.where(observation[..., 0] < 0, 2, 0), 3, dtype=bool)
        changed = {"q_values": jnp.where(is_spoilt, poison, output.q_values)}
        if isinstance(output, EnsembleOutput):
            changed["members"] = jnp.where(is_spoilt[..., None, :], poison, output.members)
        for name in {"quantiles", "boundary_quantiles", "logits"} & set(output._fields):
            changed[name] = jnp.where(is_spoilt[..., None], poison, getattr(output, name))
        return output._replace(**changed)

    def apply(parameters, observation, key=None):
        return spoilt(network.apply(parameters, observation, key), observation)

    def unroll(parameters, observation, memory, is_first, key=None):
        output, memory = network.unroll(parameters, observation, memory, is_first, key)
        return spoilt(output, observation), memory

    def unroll_step(parameters, observation, memory, key=None):
        output, memory = network.unroll_step(parameters, observation, memory, key)
        return spoilt(output, observation), memory

    return network._replace(
        apply=apply, unroll=network.unroll and unroll, unroll_step=network.unroll_step and unroll_step
    )


# One name for each loss: some algorithms have the loss of DQN.
LOSSES = {entry.config.algorithm: name for name, entry in reversed(ALGORITHMS.items())}


@pytest.mark.parametrize("name", LOSSES.values())
def test_no_loss_depends_on_the_values_of_illegal_actions(name):
    """Neither do priority and metrics; all are finite also where no action is legal."""
    config = config_fields.to_arrays(small(name))
    network, sample, generator = config.network.make((1,), 3), sample_of(config), np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))  # drawing in NumPy takes less time to compile
    parameters = jax.tree.map(lambda x: generator.normal(size=x.shape).astype(x.dtype), shapes)

    @jax.jit
    @jax.vmap
    def outputs(poison):
        key, target_parameters = jax.random.key(0), config.target_update.init(parameters)
        masked = action_masks.over_masks(poisoned(network, poison))

        return config.algorithm.loss(masked, parameters, target_parameters, sample, key)

    found = jax.device_get(outputs(jnp.array([0.0, 1e4])))
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all()
        np.testing.assert_allclose(leaf[0], leaf[1], rtol=1e-5, atol=1e-5)
    assert np.abs(found.loss).max() > 0
    assert found.metrics["max_q"].max() < 1e3


def masks_of(code):
    """Returns the bits of numbers below 64 as masks `[..., 6]`."""
    return (code[..., None] >> np.arange(6)) % 2 == 1


@pytest.mark.parametrize(
    ("config", "is_picture"),
    [(Uniform(24), False), (Uniform(24), True), (Sequences(24, length=4), True), (Rollout(24), False)],
    ids=["whole", "frames", "sequences", "rollout"],
)
def test_replay_gives_each_observation_its_own_mask(config, is_picture):
    """The mask of an observation has the bits of its number. With n-step returns it is that of the last step."""
    shape = (1, 1, 1) if is_picture else (1,)

    def step(time):
        code = np.array([2 * time, 2 * time + 1])  # of two environments
        s_tm1, s_t = (x.reshape(2, *shape).astype(np.uint8) for x in (code, code + 2))
        ended, masks = np.full(2, time % 5 == 4), {"legal_tm1": masks_of(code), "legal_t": masks_of(code + 2)}
        reward = np.full(2, 0.5, np.float32)
        one = Step(s_tm1, code.astype(np.int32), reward, np.zeros(2, bool), ended, s_t, **masks)
        return jax.tree.map(jnp.asarray, one)

    replay = config.make(step(0), 1 if isinstance(config, Rollout) else 3, ConfiguredReturn(DISCOUNT))
    state, add = replay.init(), jax.jit(replay.add)
    for time in range(20):
        state = add(state, step(time), jnp.ones(2, bool))

    def value(seen):
        return jnp.where(codes_of(seen.legal) == seen.observation[:, 0], 1.0, jnp.nan)

    @jax.jit
    def sampled(state):
        state = replay.before_training(state, value)
        return state, replay.sample(state, jax.random.bits(jax.random.key(0), (24,)), jnp.int32(0), jnp.int32(0))

    state, sample = jax.device_get(sampled(state))
    for observation in (sample.transition.s_tm1, getattr(sample.transition, "s_t", sample.transition.s_tm1)):
        codes = codes_of(observation.legal)
        assert len(np.unique(codes)) > 5
        np.testing.assert_array_equal(observation.observation.reshape(codes.shape), codes)
    if isinstance(config, Rollout):  # 1/2 + 1/2 · 1
        np.testing.assert_array_equal(state.returns, np.ones((2, 12)))


def codes_of(legal):
    """Returns the numbers whose bits are the masks `[..., 6]`."""
    return legal @ (1 << np.arange(6))


def test_the_exact_values_of_legal_actions_are_learned_and_no_illegal_action_is_taken():
    game, config = trap.make(), dataclasses.replace(SMALL, discount=DISCOUNT, learning_starts=200)
    evaluation = Evaluation(every=1_200, episodes=8, epsilon=0.5, exact_values=True)
    advance, (config, state) = advancing(game, evaluation), start(game, config)
    for _ in range(3):
        state, curves = advance(config, state)
        assert -5 < curves["episode_return"] < 0
        assert -5 < curves["evaluation_return"] < 0
    assert curves["value_error"] < 0.15
    assert abs(curves["value_bias"]) < 0.15


def test_the_values_before_a_training_are_of_masked_observations():
    """Otherwise tracing the program raises an error."""
    game, config = trap.make(), config_fields.to_arrays(small("pqn"))
    state = jax.eval_shape(lambda key: loop.init(config, key, game=game), jax.random.key(0))
    jax.eval_shape(lambda state: loop.advance(config, state, game=game, evaluation=Evaluation(64, 2)), state)


def test_exact_values_are_those_of_legal_actions():
    solution = exact_values.solve(trap.make(), DISCOUNT)
    expected = [[-1.75, -2.75, -np.inf], [-np.inf, -1.5, -2.5], [-1.0, -np.inf, -np.inf]]
    np.testing.assert_allclose(solution.q_values, expected)


def test_a_listed_state_without_a_legal_action_is_an_error():
    game = trap.make()
    game = game._replace(states=lambda: trap.Place(jnp.arange(4)))
    with pytest.raises(ValueError, match="game 'trap' lists 1 states without a legal action"):
        exact_values.solve(game, DISCOUNT)


def test_a_game_without_masks_draws_and_stores_nothing_for_them():
    parts = loop.parts_of(SMALL, trap.make()._replace(legal_actions=None))
    assert parts.example.legal_tm1 is parts.example.legal_t is None
    assert jax.eval_shape(lambda: sample_and_learn.draw(parts, jax.random.key(0))).replacement is None
