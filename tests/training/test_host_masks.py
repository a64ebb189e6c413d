"""Action masks of games that step in Python: in training, evaluation, checkpoints and play."""

import dataclasses

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import action_masks, games
from jaxdqn.games import environment_vectors
from jaxdqn.games.checked_environment import ACTION_MASK
from jaxdqn.interfaces import feed_forward
from jaxdqn.outputs import NetworkOutput
from jaxdqn.play import episodes
from jaxdqn.play.agent import Agent
from jaxdqn.training import host_checkpoint, host_loop, host_programs
from jaxdqn.training.evaluate import Evaluation
from tests.helpers import host_games, trap
from tests.helpers.faulty_games import Sound, changed, late
from tests.helpers.runs import SMALL

pytestmark = pytest.mark.usefixtures("unoptimised")

TAXI = max(name for name in gymnasium.registry if name.startswith("Taxi-v"))  # older gymnasium has Taxi-v3
TRAP = "gymnasium:tests.helpers.host_games:Trap-v0"
EVALUATION = Evaluation(every=600, episodes=3, epsilon=0.5)


def test_a_run_takes_no_illegal_action_learns_the_exact_values_and_goes_on_from_a_checkpoint():
    game, config = games.make(TRAP), dataclasses.replace(SMALL, discount=0.5)
    programs = host_programs.make(game)
    options, returns = {"game": game, "programs": programs, "evaluation": EVALUATION}, []
    host = host_loop.init(config, 0, **options)
    for _ in range(3):
        saved = host_checkpoint.save(host, game)
        host, curves = host_loop.advance(host, **options)
        returns += [float(curves["episode_return"]), float(curves["evaluation_return"])]
    assert all(-6 <= value <= -3 for value in returns)
    assert returns[0] < -3.2  # random at first
    seen = action_masks.with_mask(jnp.array([[-1.0], [0.0], [1.0]]), jnp.asarray(trap.LEGAL))
    values = host.parts.learner.network.apply(host.state.learner.parameters, seen).q_values
    expected = np.where(trap.LEGAL, [[-2, -3, 0], [0, -2, -3], [-2, 0, 0]], action_masks.LOWEST)
    np.testing.assert_allclose(values, expected, atol=0.15)
    again = host_checkpoint.load(saved, config, 0, **options)
    assert again.history.renewed_at == ()
    again, _ = host_loop.advance(again, **options)
    for one, other in zip(*(host_checkpoint.save(run, game) for run in (again, host)), strict=True):
        np.testing.assert_array_equal(one, other)
    for one in (host, again):
        host_loop.close(one)


def test_a_resumed_run_whose_environments_show_other_masks_begins_new_episodes(monkeypatch):
    game, config = games.make(TRAP), SMALL
    options = {"game": game, "programs": host_programs.make(game), "evaluation": EVALUATION}
    host = host_loop.init(config, 0, **options)
    saved = host_checkpoint.save(host, game)
    monkeypatch.setattr(host_games.Trap, "_info", lambda self: {"action_mask": np.ones(3, np.int8)})
    again = host_checkpoint.load(saved, config, 0, **options)
    assert again.history.renewed_at == (0,)
    assert again.state.game.legal.all()
    for one in (host, again):
        host_loop.close(one)


def liking(action, game):
    """Returns an agent that always prefers one action."""
    values = jnp.zeros(3).at[action].set(1.0)
    network = feed_forward(lambda key: {}, lambda parameters, observation, key=None: NetworkOutput(values))
    return Agent(game, action_masks.for_game(network, game), {})


@pytest.mark.parametrize(("game", "rendered"), [(TRAP, False), (TRAP, True), ("trap", False)])
def test_no_illegal_action_is_played(game, rendered):
    made = trap.make() if game == "trap" else games.make(game)
    with episodes.player(liking(1, made), seed=0, epsilon=0.5, rendered=rendered) as player:
        totals = [list(player.play(number))[-1].total for number in range(9)]
    assert all(-6 <= total < 0 for total in totals)


def test_the_first_reset_says_whether_an_environment_has_masks():
    for name, has_masks in ((TRAP, True), (f"gymnasium:{TAXI}", True), ("gymnasium:CartPole-v1", False)):
        game = games.make(name)
        assert (game.has_masks, game.version) == (has_masks, 2 if has_masks else 1)


def test_the_masks_of_taxi_reach_the_loop_also_after_a_reset():
    game = games.make(f"gymnasium:{TAXI}")
    single, vector = gymnasium.make(TAXI).unwrapped, game.make_vector(2)
    observation, info = vector.reset(seed=[1, 2])
    for _ in range(202):  # over the time limit
        assert info.keys() == {ACTION_MASK}
        assert (info[ACTION_MASK].shape, info[ACTION_MASK].dtype) == ((2, game.num_actions), bool)
        for seen, mask in zip(observation, info[ACTION_MASK], strict=True):
            np.testing.assert_array_equal(mask, single.action_mask(seen.argmax()))
        observation, *_, info = vector.step(info[ACTION_MASK].argmax(1))
    vector.close()


def with_mask(mask, flags=Sound.flags):
    """Returns an environment whose mask is another one in step 5."""
    usual = changed(info=lambda self: {"action_mask": np.array([1, 0], np.int8)}).info
    return changed(info=late({} if mask is None else {"action_mask": mask}, usual), flags=flags)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, r'info\["action_mask"\] is missing at step 5 of copy 1 of 2: the first reset returned a mask'),
        (np.ones(3), r"action mask of shape \(3,\): its space has the shape \(2,\) at step 5 of copy 1"),
        (np.array([0, 2]), r"action mask \[0, 2\] is not in its space MultiBinary\(2\) at step 5 of copy 1"),
        ("all", "action mask 'all': its space has the shape"),
        (np.zeros(2, np.int8), r'info\["action_mask"\] allows no action at step 5 of copy 1 of 2'),
    ],
)
def test_a_mask_that_cannot_be_used_is_an_error_of_the_environment(mask, message):
    vector = environment_vectors.make("game", with_mask(mask), 2, has_masks=True)
    vector.reset(seed=[1, 2])
    for _ in range(4):
        vector.step(np.array([0, 0]))
    with pytest.raises(ValueError, match=message):
        vector.step(np.array([0, 0]))


@pytest.mark.parametrize("mask", [None, np.zeros(2, bool)])
def test_an_episode_that_terminated_needs_no_legal_action(mask):
    vector = environment_vectors.make("game", with_mask(mask, lambda self: (self.time == 5, False)), 2, has_masks=True)
    vector.reset(seed=[1, 2])
    for _ in range(5):
        *_, info = vector.step(np.array([0, 0]))
    assert not info[ACTION_MASK].any()
    *_, info = vector.step(np.array([0, 0]))  # which only resets
    np.testing.assert_array_equal(info[ACTION_MASK], [[True, False]] * 2)
