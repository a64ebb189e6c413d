"""The adapter to gymnasium, against gymnasium itself."""

import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from jaxdqn import games
from tests.helpers import host_games


def host_game(name):
    return games.make(f"gymnasium:tests.helpers.host_games:{name}-v0")


@pytest.mark.parametrize(
    ("name", "shape", "num_actions", "max_steps"),
    [
        ("CartPole-v1", (4,), 2, 500),
        ("MountainCar-v0", (2,), 3, 200),
        ("LunarLander-v3", (8,), 4, 1000),
        ("FrozenLake-v1", (16,), 4, 100),
        ("Blackjack-v1", (32 + 11 + 2,), 2, None),
    ],
)
def test_shapes_and_dtypes_are_as_declared(name, shape, num_actions, max_steps):
    game = games.make(f"gymnasium:{name}")
    assert (game.observation_shape, game.num_actions, game.max_steps) == (shape, num_actions, max_steps)
    environments = game.make_vector(3)
    observation, _ = environments.reset(seed=[1, 2, 3])
    for time in range(6):
        assert observation.shape == (3, *shape)
        assert observation.dtype == game.observation_dtype == np.float32
        observation, reward, terminated, truncated, _ = environments.step(np.full(3, time % num_actions))
        assert reward.shape == terminated.shape == truncated.shape == (3,)
    environments.close()


@pytest.mark.parametrize("name", ["CartPole-v1", "MountainCar-v0", "LunarLander-v3"])  # MountainCar is truncated
def test_each_copy_equals_a_single_environment_plus_one_step_for_each_reset(name):
    environments = games.make(f"gymnasium:{name}").make_vector(2)
    observation, _ = environments.reset(seed=[7, 8])
    alone = gymnasium.make(name)
    expected, _ = alone.reset(seed=7)
    is_over, num_resets = False, 0
    for time in range(450):
        np.testing.assert_array_equal(observation[0], expected)
        observation, *rest = environments.step(np.full(2, time % 2))
        if is_over:
            expected, _ = alone.reset()
            assert [part[0] for part in rest[:3]] == [0.0, False, False]
            is_over, num_resets = False, num_resets + 1
        else:
            expected, reward, terminated, truncated, _ = alone.step(time % 2)
            assert [part[0] for part in rest[:3]] == [reward, terminated, truncated]
            is_over = terminated or truncated
    assert num_resets >= 2
    environments.close()


def test_step_after_termination_or_truncation_only_resets():
    environments = host_game("Counter").make_vector(1)
    environments.reset(seed=[0])  # episode 0 terminates at step 3, episode 1 is truncated at step 4
    steps = [environments.step(np.zeros(1, int))[:4] for _ in range(10)]
    environments.close()
    rows = [(*observation[0].tolist(), *(part[0] for part in rest)) for observation, *rest in steps]
    assert rows == [
        (0, 1, 1, False, False),
        (0, 2, 2, False, False),
        (0, 3, 3, True, False),
        (1, 0, 0, False, False),
        (1, 1, 1, False, False),
        (1, 2, 2, False, False),
        (1, 3, 3, False, False),
        (1, 4, 4, False, True),
        (2, 0, 0, False, False),
        (2, 1, 1, False, False),
    ]


def test_seeds_determine_all_episodes_and_different_seeds_give_different_episodes():
    def starts(seeds):
        environments = games.make("gymnasium:CartPole-v1").make_vector(2)
        observation, _ = environments.reset(seed=seeds)
        found, is_over = [[observation[0]], [observation[1]]], np.zeros(2, bool)
        for _ in range(60):
            observation, _, terminated, truncated, _ = environments.step(np.zeros(2, int))
            for copy in np.flatnonzero(is_over):
                found[copy].append(observation[copy])
            is_over = terminated | truncated
        environments.close()
        return [np.array(copy[:5]) for copy in found]

    first, second = starts([1, 2])
    assert first.shape == (5, 4)
    np.testing.assert_array_equal(starts([1, 2]), [first, second])
    np.testing.assert_array_equal(starts([2, 3])[0], second)  # the index of the copy has no effect
    assert (first != second).all()


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("Image", (4, 4, 3), np.uint8),
        ("Int16", (2,), np.int16),
        ("Float64", (2,), np.float32),
        ("OneHot", (3,), np.float32),
        ("Dictionary", (5,), np.float32),
        ("Bits", (3,), np.int8),
        ("Digits", (5,), np.float32),
    ],
)
def test_observations_keep_their_type_or_are_flattened_by_gymnasium(name, shape, dtype):
    game, (space, _) = host_game(name), host_games.SPACES[name]
    assert (game.observation_shape, game.observation_dtype) == (shape, dtype)
    environments = game.make_vector(1)
    observation, _ = environments.reset(seed=[3])
    space.seed(3)
    raw = space.sample()
    expected = raw if isinstance(space, spaces.Box) else spaces.flatten(space, raw)
    np.testing.assert_array_equal(observation[0], np.asarray(expected, dtype))
    assert observation.dtype == dtype
    environments.close()


def test_actions_are_numbered_from_zero():
    game = host_game("ActionsFromFive")
    assert game.num_actions == 3
    environments = game.make_vector(3)
    environments.reset(seed=[1, 2, 3])
    assert environments.step(np.array([0, 1, 2]))[1].tolist() == [5.0, 6.0, 7.0]  # the reward is the action
    environments.close()


PLUS, TIMES = (f"|tests.helpers.host_games:{name}" for name in ("RewardPlusOne", "RewardTimesTen"))


@pytest.mark.parametrize(
    ("wrappers", "asynchronous", "reward"),
    [
        ("", False, 4.0),
        (PLUS + TIMES, False, 50.0),
        (TIMES + PLUS, False, 41.0),
        (TIMES + PLUS, True, 41.0),
        ("|tests.helpers.host_games:RewardPlus?much=2&more=0.5" + TIMES, False, 65.0),
    ],
)
def test_arguments_reach_every_copy_and_the_first_wrapper_is_innermost(wrappers, asynchronous, reward):
    game = games.make(f"gymnasium:tests.helpers.host_games:Argument-v0?reward=4.0&max_episode_steps=2{wrappers}")
    environments = game.make_vector(2, asynchronous)
    environments.reset(seed=[1, 2])
    rows = [environments.step(np.zeros(2, int))[1:4] for _ in range(2)]
    assert [row[0].tolist() for row in rows] == [[reward] * 2] * 2
    assert [row[2].tolist() for row in rows] == [[False] * 2, [True] * 2]
    environments.close()


def test_arguments_and_wrappers_reach_the_rendered_copy():
    environment = games.make(f"gymnasium:tests.helpers.host_games:Argument-v0?reward=7{PLUS}").make_rendered()
    environment.reset(seed=0)
    assert environment.step(0)[1] == 8.0
    assert environment.render().max() == 7
    environment.close()


def test_many_processes_give_the_same_steps_as_one():
    together, apart = (games.make("gymnasium:CartPole-v1").make_vector(2, asynchronous=flag) for flag in (False, True))
    np.testing.assert_array_equal(together.reset(seed=[1, 2])[0], apart.reset(seed=[1, 2])[0])
    for time in range(60):
        actions = np.array([time % 2, 0])
        for ours, theirs in zip(together.step(actions)[:4], apart.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    together.close()
    apart.close()


def test_pickling_preserves_the_game():
    game = pickle.loads(pickle.dumps(host_game("ActionsFromFive")))
    environments = game.make_vector(1)
    environments.reset(seed=[1])
    assert environments.step(np.array([2]))[1].tolist() == [7.0]
    environments.close()


@pytest.mark.parametrize("name", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "LunarLander-v3"])
def test_frames_are_rendered_without_a_display(name, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    environment = games.make(f"gymnasium:{name}").make_rendered()
    environment.reset(seed=0)
    first = environment.render()
    for _ in range(5):
        environment.step(1)
    assert first.dtype == np.uint8
    assert first.shape[2] == 3
    assert (environment.render() != first).any()
    environment.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "gymnasium:CartPole-v1|tests.helpers.host_games:RewardPlus?mch=2",
            ["cannot be made: TypeError", "'mch'", "arguments follow the name"],
        ),
        ("gymnasium:LunarLandr-v3", ["no environment", "Did you mean 'gymnasium:LunarLander-v3'"]),
        ("gymnasium:LunarLander-v99", ["no environment", "LunarLander-v3"]),
        ("gymnasium:LunarLander", ["no environment", "Did you mean 'gymnasium:LunarLander-v3'"]),  # no version
        (
            "gymnasium:tests.helpers.host_games:Countr-v0",
            ["no environment", "Did you mean 'gymnasium:tests.helpers.host_games:Counter-v0'"],
        ),
        (
            "gymnasium:tests.helpers.faulty_games:Zzz",
            ["no environment", "faulty_games registers OldApi-v0, OldStep-v0"],
        ),
        ("gymnasium:tests.helpers.runs:Zzz", ["no environment", "Call gymnasium.register in tests.helpers.runs."]),
        (
            "tests.helpers.faulty_games:Sound",
            ["returns an environment, not a game", "gymnasium:tests.helpers.faulty_games:ID"],
        ),
        ("gymnasium:my_envs.py:Game-v0", ["names the file my_envs.py: write the module, my_envs."]),
        ("gymnasium:nowhere:Game-v0", ["cannot be made", "no module 'nowhere'", "PYTHONPATH"]),
        ("gymnasium:one:two:Game-v0", ["cannot be made", "no module 'one:two'"]),
        ("gymnasium:GymV21Environment-v0", ["cannot be made", "an import failed", "shimmy"]),
        ("gymnasium:tests.helpers.host_games:Continuous-v0", ["Box(-1.0, 1.0", "not discrete", "--wrapper"]),
        ("gymnasium:tests.helpers.host_games:Words-v0", ["Text", "supported are Box, Discrete", "--wrapper"]),
        ("gymnasium:CartPole-v1?length=2", ["unexpected keyword argument 'length'", "arguments follow the name"]),
        ("gymnasum", ["no game is called 'gymnasum'", "gymnasium:LunarLander-v3"]),
    ],
)
def test_unsupported_game_raises_an_error_of_one_sentence(name, words):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refusal:
        games.make(name)
    for word in words:
        assert word in str(refusal.value)


def test_error_of_an_imported_module_is_reported(tmp_path, monkeypatch):
    (tmp_path / "failing_module.py").write_text("raise OSError('no such file\\nat all')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"importing 'failing_module' raised OSError: no such file\.$") as refusal:
        games.make("gymnasium:failing_module:Game-v0")
    assert isinstance(refusal.value.__cause__, OSError)


def test_missing_dependency_is_reported_with_the_extra_that_installs_it(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "Box2D", None)  # importing it raises ImportError
    with pytest.raises(ValueError, match=r'LunarLander-v3 needs .*pip install "jaxdqn\[box2d\]"'):
        games.make("gymnasium:LunarLander-v3")


def test_environment_that_cannot_render_raises_an_error():
    with pytest.raises(ValueError, match="cannot render frames"):
        host_game("Counter").make_rendered()


def test_games_in_jax_do_not_import_gymnasium():
    code = "import sys; from jaxdqn import games; games.make('catch'); assert 'gymnasium' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
