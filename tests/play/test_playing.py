import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.play import episodes
from tests.helpers import faulty_games, trained

HOST = "gymnasium:CartPole-v1"


def play(agent, numbers, *, seed=0, epsilon=0.0, rendered=False):
    """Returns the moments of the episodes with these numbers, without their frames."""
    with episodes.player(agent, seed=seed, epsilon=epsilon, rendered=rendered) as player:
        return [[moment[:3] for moment in player.play(number)] for number in numbers]


def lengths(agent, **options):
    return [len(moments) - 1 for moments in play(agent, range(6), **options)]


@pytest.mark.parametrize("rendered", [False, True])
def test_an_agent_that_follows_the_ball_wins_at_catch(rendered):
    expected = [(step, 0.0, False) for step in range(10)] + [(10, 1.0, True)]
    assert play(trained.catcher(), range(5), rendered=rendered) == [expected] * 5


def test_a_return_is_the_sum_of_the_rewards():
    [moments] = play(trained.constant("mountain_car", 1), [0])
    assert moments == [(step, -float(step), step == 200) for step in range(201)]


@pytest.mark.parametrize("game", ["cartpole", HOST])
def test_equal_seeds_give_equal_episodes_and_different_seeds_differ(game):
    agent = trained.constant(game, 0)
    first = lengths(agent, seed=1, epsilon=0.5)
    assert lengths(agent, seed=1, epsilon=0.5) == first
    assert len(set(first)) > 2
    assert lengths(agent, seed=2, epsilon=0.5) != first


def test_an_episode_does_not_depend_on_earlier_episodes():
    for game in ("cartpole", HOST):
        agent = trained.constant(game, 0)
        assert play(agent, [3, 1], epsilon=0.5) == play(agent, [1, 3], epsilon=0.5)[::-1]


@pytest.mark.parametrize("game", ["cartpole", HOST])
def test_rendering_does_not_change_the_episode(game):
    agent = trained.constant(game, 0)
    assert play(agent, [2], epsilon=0.5, rendered=True) == play(agent, [2], epsilon=0.5)


@pytest.mark.parametrize("game", ["cartpole", HOST])
def test_epsilon_is_the_probability_of_a_random_action(game):
    agent = trained.constant(game, 1)
    assert max(lengths(agent)) <= 11  # from every start, the pole falls after 8 to 10 pushes to one side
    assert max(lengths(agent, epsilon=1.0)) > 11


def test_an_episode_of_a_host_game_equals_gymnasiums():
    agent = trained.agent(HOST, lambda s: jnp.stack([-s[..., 2], s[..., 2]], axis=-1))  # pushes to the leaning side
    start = int(np.random.default_rng([5, 1]).integers(2**31))  # of episode 1 with seed 5
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=start)
    steps, ended = 0, False
    while not ended:
        observation, _, terminated, truncated, _ = env.step(int(observation[2] > 0))
        steps, ended = steps + 1, terminated or truncated
    env.close()
    assert steps > 15
    assert play(agent, [1], seed=5)[0][-1] == (steps, float(steps), True)


def test_a_moment_of_a_game_in_jax_can_be_rendered_later():
    with episodes.player(trained.catcher(), seed=0, epsilon=0.0, rendered=True) as player:
        moments = list(player.play(0))
        assert player.pace == 5.0
    rows = [np.argwhere(moment.render()[:9, :, 0] == 38)[:, 0].tolist() for moment in moments]
    assert rows == [[row] for row in range(9)] + [[], []]


def test_frames_of_a_host_game_change():
    with episodes.player(trained.constant(HOST, 1), seed=0, epsilon=0.0, rendered=True) as player:
        frames = [moment.render() for moment in player.play(0)]
        assert player.pace == 50.0
    assert {(frame.shape, frame.dtype) for frame in frames} == {((400, 600, 3), np.dtype(np.uint8))}
    assert np.any(frames[0] != frames[-1])


def test_rendering_a_game_that_cannot_be_rendered_raises_an_error():
    agent = trained.constant("probe_value", 0)
    assert play(agent, [0])[0][-1][2]
    with pytest.raises(ValueError, match="probe_value cannot be rendered: play it without --out"):
        play(agent, [0], rendered=True)


FAULTY = "gymnasium:tests.helpers.faulty_games:"


@pytest.mark.parametrize("rendered", [False, True])
def test_an_error_of_an_environment_is_one_sentence(rendered):
    agent = trained.constant(f"{FAULTY}RaisesLate-v0", 1)
    message = r"RaisesLate-v0 raised an error at step 5: ConnectionResetError: the simulator went away\.$"
    with pytest.raises(ValueError, match=message):
        play(agent, [0], rendered=rendered)


@pytest.mark.parametrize(
    ("method", "words"), [("reset", "cannot be reset"), ("render", "cannot be drawn"), ("close", "cannot be closed")]
)
def test_an_error_of_resetting_drawing_and_closing_is_one_sentence(method, words, monkeypatch):
    def fail(self, **options):
        raise RuntimeError("no OpenGL context")

    agent = trained.constant(f"{FAULTY}Sound-v0", 1)
    monkeypatch.setattr(faulty_games.Sound, method, fail)
    with (
        pytest.raises(ValueError, match=rf"^gymnasium:.*Sound-v0 {words}: RuntimeError: no OpenGL context\.$"),
        episodes.player(agent, seed=0, epsilon=0.0, rendered=True) as player,
    ):
        [moment.render() for moment in player.play(0)]


def test_an_action_is_of_the_type_of_its_space(monkeypatch):
    seen = []
    monkeypatch.setattr(faulty_games.Sound, "reward", lambda self, action: seen.append(type(action)) or 1.0)
    for rendered in (False, True):
        play(trained.constant(f"{FAULTY}Sound-v0", 1), [0], rendered=rendered)
    assert set(seen) == {np.int64}
    assert len(seen) == 20
