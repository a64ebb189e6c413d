"""Atari games: against ale-py's own vector environment, and a fake emulator that records what it is told."""

import pickle
import sys

import numpy as np
import pytest

from jaxdqn import games

pytest.importorskip("ale_py", reason='needs pip install "jaxdqn[atari]"')

from jaxdqn.games import atari_environment
from jaxdqn.games.atari_environment import AtariEnvironment


class FakeEmulator:
    """An emulator whose screens and rewards are numbers of frames; it loses a life every `LIFE` frames, of three."""

    LIFE = 1_000_000

    def __init__(self):
        self.played, self.settings, self.num_resets = [], {}, 0

    def setFloat(self, name, value):
        self.settings[name] = value

    setInt = setFloat

    @staticmethod
    def setLoggerMode(mode):
        del mode

    def loadROM(self, path):
        del path

    def getMinimalActionSet(self):
        return list(range(4))

    def getLegalActionSet(self):
        return list(range(18))

    def getScreenDims(self):
        return 210, 160

    def reset_game(self):
        self.played, self.num_resets = [], self.num_resets + 1

    def act(self, action):
        self.played.append(action)
        return 1

    def lives(self):
        return max(0, 3 - len(self.played) // self.LIFE)

    def game_over(self, *, with_truncation):
        assert not with_truncation
        return self.lives() == 0

    def getScreenGrayscale(self, screen):
        screen[:] = len(self.played) % 256


def fake(monkeypatch, life=FakeEmulator.LIFE, **options):
    monkeypatch.setattr(atari_environment.ale_py, "ALEInterface", FakeEmulator)
    monkeypatch.setattr(FakeEmulator, "LIFE", life)
    plain = {"sticky": 0.0, "noops": 0, "life_loss": False, "actions": "minimal", "limit": 108_000}
    environment = AtariEnvironment("pong", **(plain | options))
    return environment, environment._ale


@pytest.mark.parametrize(
    ("name", "num_steps", "terminated", "truncated"),
    [("breakout", 420, 2, 0), ("air_raid", 300, 1, 0), ("pong,limit=400", 210, 0, 2)],
)
def test_pictures_rewards_and_ends_are_those_of_the_vector_environment_of_ale_py(
    name, num_steps, terminated, truncated
):
    title, _, rest = name.partition(",")
    name = f"atari:{title},sticky=0" + (f",{rest}" if rest else "")
    ours, theirs = (games.make(name + engine).make_vector(2) for engine in ("", ",engine=threads"))
    seeds, generator, ends = [3, 2**32 - 2], np.random.default_rng(1), np.zeros(2, int)
    for one, other in zip(ours.reset(seed=seeds)[:1], theirs.reset(seed=seeds)[:1], strict=True):
        np.testing.assert_array_equal(one, other)
    for _ in range(num_steps):
        actions = generator.integers(ours.single_action_space.n, size=2)
        seen, expected = ours.step(actions)[:4], theirs.step(actions)[:4]
        for part, (one, other) in enumerate(zip(seen, expected, strict=True)):
            is_compared = ~seen[3] if part == 0 else slice(None)  # ale-py shows an older picture at the limit
            np.testing.assert_array_equal(one[is_compared], other[is_compared])
            assert one.dtype == other.dtype
        ends += seen[2].any(), seen[3].any()
    assert seen[0].shape == (2, 84, 84, 1)
    assert ends[0] >= terminated
    assert ends[1] >= truncated
    ours.close()
    theirs.close()


def test_a_frame_repeats_the_action_of_the_frame_before_with_the_given_probability(monkeypatch):
    environment, emulator = fake(monkeypatch, sticky=0.25)
    environment.reset(seed=0)
    for step in range(4_000):
        environment.step(step % 2 + 1)
    played = np.array(emulator.played).reshape(-1, 4)[1:]
    is_old = played != (np.arange(1, 4_000) % 2 + 1)[:, None]
    assert not (is_old[:, 1:] & ~is_old[:, :-1]).any()  # once taken, the new action stays
    np.testing.assert_allclose(is_old.mean(0), 0.25 ** np.arange(1, 5), atol=0.03)
    assert emulator.settings == {"repeat_action_probability": 0.0, "random_seed": 0}


def test_an_episode_begins_with_no_action_to_repeat(monkeypatch):
    environment, emulator = fake(monkeypatch, sticky=1.0)
    environment.reset(seed=0)
    environment.step(3)
    assert emulator.played == [0, 0, 0, 0]


def test_an_episode_begins_with_one_to_thirty_frames_without_an_action(monkeypatch):
    environment, emulator = fake(monkeypatch, noops=30)
    environment.reset(seed=0)
    numbers = []
    for _ in range(600):
        environment.reset()
        assert set(emulator.played) == {0}
        numbers.append(len(emulator.played))
    assert sorted(set(numbers)) == list(range(1, 31))
    np.testing.assert_allclose(np.mean(numbers), 15.5, atol=1.5)


def test_a_picture_is_the_maximum_of_the_last_two_frames(monkeypatch):
    environment, _ = fake(monkeypatch)
    assert environment.reset(seed=0)[0].max() == 0
    assert [environment.step(0)[0].max() for _ in range(3)] == [4, 8, 12]
    environment._screens[0] = 200
    assert environment._observation().max() == 200


def test_an_episode_is_truncated_after_the_limit_and_the_next_step_begins_another(monkeypatch):
    environment, emulator = fake(monkeypatch, limit=10)
    environment.reset(seed=0)
    steps = [environment.step(1)[1:4] for _ in range(4)]
    assert steps == [(4.0, False, False), (4.0, False, False), (4.0, False, True), (0.0, False, False)]
    assert emulator.num_resets == 2


@pytest.mark.parametrize("life_loss", [False, True])
def test_a_lost_life_is_reported_where_the_game_goes_on(monkeypatch, life_loss):
    environment, _ = fake(monkeypatch, life=8, life_loss=life_loss)
    environment.reset(seed=0)
    steps = [environment.step(1) for _ in range(6)]
    assert [step[2] for step in steps] == [False] * 5 + [True]
    if life_loss:
        assert [step[4]["life_lost"] for step in steps] == [False, True, False, True, False, False]
    else:
        assert [step[4] for step in steps] == [{}] * 6


def test_rewards_after_the_end_of_a_game_are_not_counted(monkeypatch):
    environment, _ = fake(monkeypatch, life=2)
    environment.reset(seed=0)
    assert [environment.step(1)[1] for _ in range(2)] == [4.0, 2.0]


def test_both_engines_report_lost_lives():
    found = []
    for engine in ("", ",engine=threads"):
        environments = games.make(f"atari:breakout,sticky=0,life_loss=true{engine}").make_vector(1)
        environments.reset(seed=[0])
        found.append([environments.step(np.array([1]))[4]["life_lost"].tolist() for _ in range(80)])
        environments.close()
    assert found[0] == found[1]
    assert 1 <= found[0].count([True]) <= 4


@pytest.mark.parametrize("asynchronous", [False, True])
def test_copies_continue_exactly_from_saved_states_also_in_other_processes(asynchronous):
    game = games.make("atari:breakout")
    first, second = game.make_vector(2), game.make_vector(2, asynchronous=asynchronous)
    generator, resetting = np.random.default_rng(0), np.zeros(2, bool)
    first.reset(seed=[1, 2])
    second.reset(seed=[3, 4])
    while not resetting.any():  # one copy is in an episode, and the other one has to begin the next
        _, _, terminated, truncated, _ = first.step(generator.integers(4, size=2))
        resetting = terminated | truncated
    states = first.get_attr("saved_state")
    second.set_attr("saved_state", list(states))
    assert second.get_attr("saved_state") == states
    for _ in range(150):
        actions = generator.integers(4, size=2)
        for ours, theirs in zip(first.step(actions)[:4], second.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert second.get_attr("saved_state") == first.get_attr("saved_state")  # with memory of the console
    first.close()
    second.close()


def test_a_game_has_the_actions_and_the_length_that_its_name_says():
    plain, full = games.make("atari:pong"), games.make("atari:pong,actions=full,limit=4001")
    assert (plain.num_actions, plain.max_steps, plain.observation_shape) == (6, 27_000, (84, 84, 1))
    assert (full.num_actions, full.max_steps, full.observation_dtype) == (18, 1_001, np.uint8)
    assert plain.packages == ("ale-py",)
    saving = [games.make(f"atari:{name}").saves_state for name in ("pong", "qbert", "pong,engine=threads")]
    assert saving == [True, False, False]


def test_options_reach_both_engines():
    for engine in ("", ",engine=threads"):
        name = f"atari:pong,sticky=0.5,noops=7,life_loss=true,actions=full,limit=80{engine}"
        game = pickle.loads(pickle.dumps(games.make(name)))
        assert (game.name, game.num_actions) == (name, 18)
        assert [entry for entry in _options(game).items() if entry[0] != "name"] == [
            ("sticky", 0.5),
            ("noops", 7),
            ("life_loss", True),
            ("actions", "full"),
            ("limit", 80),
        ]


def _options(game):
    """Returns the options that the vector environment of a game is made with."""
    made_with = game.make_vector.args[1]
    return made_with if isinstance(made_with, dict) else made_with.keywords


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("atari:pnog", ["no game", "'pnog'", "Did you mean 'atari:pong'"]),
        ("atari:xyzzyx", ["no game", "One of them is atari:space_invaders"]),
        ("atari:pong,stiky=0", ["'stiky'", "Did you mean 'sticky'", "noops"]),
        ("atari:pong,sticky=2", ["sticky=2", "must be a probability from 0 to 1"]),
        ("atari:pong,noops=few", ["noops=few", "must be a number of frames from 0 to 1000"]),
        ("atari:pong,life_loss=yes", ["life_loss=yes", "must be true or false"]),
        ("atari:pong,actions=18", ["actions=18", "must be minimal or full"]),
        ("atari:pong,limit=3", ["limit=3", "must be a number of frames from 4"]),
        ("atari:pong,engine", ["engine=", "must be python or threads"]),
        ("atari:pong,noops=30,sticky=0", ["must be written atari:pong,sticky=0,noops=30:"]),
        ("atari:pong,sticky=0.25", ["must be written atari:pong:"]),
        ("atari:pong,sticky=.5", ["must be written atari:pong,sticky=0.5:"]),
    ],
)
def test_a_name_that_is_no_game_raises_an_error_of_one_sentence(name, words):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refusal:
        games.make(name)
    for word in words:
        assert word in str(refusal.value)


def test_a_missing_emulator_is_reported_with_the_extra_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)  # importing it raises ImportError
    with pytest.raises(ValueError, match=r'^atari:pong needs ale-py, .*pip install "jaxdqn\[atari\]"\.$'):
        games.make("atari:pong")


def test_a_frame_is_the_screen_of_the_emulator_in_colour():
    environment = games.make("atari:pong").make_rendered()
    environment.reset(seed=0)
    frame = environment.render()
    assert (frame.shape, frame.dtype) == ((210, 160, 3), np.uint8)
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 3
    assert environment.metadata["render_fps"] == 15
