"""Runs on emulators: an interrupted one continues bit for bit, from the saved state where there is one."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.replay.uniform import Uniform
from jaxdqn.study import records, spec
from jaxdqn.study.spec import Study
from jaxdqn.training import checkpoint, host_checkpoint, host_loop, host_programs
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, plain

CONFIG = dataclasses.replace(SMALL, learning_starts=16, batch_size=8, replay=Uniform(64))
EVALUATION = Evaluation(every=24, episodes=1)
ATARI = pytest.param("ale_py", "atari:pong,limit=100", 2, True, id="pong")
REPLAYED = pytest.param("ale_py", "atari:qbert,limit=100", 2, False, id="qbert")  # the same programs as pong
DOOM = pytest.param("vizdoom", "doom:basic", 1, False, id="doom")
_programs = {}


class Runner:
    """A run that is advanced, saved and loaded."""

    def __init__(self, name, num_environments):
        self.game, self.config = games.make(name), dataclasses.replace(CONFIG, num_environments=num_environments)
        kind = self.game.num_actions, num_environments
        self.named = {"game": self.game, "programs": _programs.setdefault(kind, host_programs.make(self.game))}
        self.host, self.points = (
            host_loop.init(self.config, 0, evaluation=EVALUATION, **self.named),
            [],
        )

    def advance(self):
        self.host, point = host_loop.advance(self.host, evaluation=EVALUATION, **self.named)
        self.points.append(jax.device_get(point))

    def close(self):
        host_loop.close(self.host)

    def interrupt(self, change=lambda arrays: arrays):
        arrays = host_checkpoint.save(self.host, self.game)
        self.close()
        self.host = host_checkpoint.load(change(arrays), self.config, 0, evaluation=EVALUATION, **self.named)

    @property
    def memories(self):
        """The memories of the consoles."""
        return [copy.unwrapped._ale.getRAM().tobytes() for copy in self.host.environments.unwrapped.envs]


@pytest.mark.parametrize(("package", "name", "num_environments", "saves_state"), [ATARI, REPLAYED, DOOM])
def test_an_interrupted_run_continues_bit_for_bit(package, name, num_environments, saves_state):
    pytest.importorskip(package)
    whole, cut = Runner(name, num_environments), Runner(name, num_environments)
    for _ in range(3):
        whole.advance()
    cut.advance()
    assert not cut.host.state.game.resetting.any()  # it is within an episode
    cut.interrupt()
    for _ in range(2):
        cut.advance()
    assert cut.host.history.renewed_at == ()
    assert (len(cut.host.history.actions) == 0) == saves_state
    for ours, theirs in zip(cut.points, whole.points, strict=True):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert whole.points[-1]["updates"] > 10
    states = [plain((run.host.state.learner, run.host.state.replay, run.host.state.game)) for run in (cut, whole)]
    jax.tree.map(np.testing.assert_array_equal, *states)
    np.testing.assert_array_equal(cut.host.state.episode_return, whole.host.state.episode_return)
    if package == "ale_py":
        assert cut.memories == whole.memories
    cut.close()
    whole.close()


def test_a_run_whose_saved_emulator_is_damaged_begins_new_episodes():
    pytest.importorskip("ale_py")
    run = Runner("atari:pong,limit=100", 2)
    run.advance()
    run.interrupt(lambda arrays: [*arrays[:-1], arrays[-1][:100]])
    assert run.host.history.renewed_at == (24,)
    assert not run.host.state.episode_return.any()
    run.advance()
    run.close()


def test_a_run_is_not_continued_with_another_version_of_the_emulator(monkeypatch):
    pytest.importorskip("ale_py")
    run = Runner("atari:pong,limit=100", 2)
    version = host_checkpoint.metadata.version
    monkeypatch.setattr(host_checkpoint.metadata, "version", lambda name: "0.1" if name == "ale-py" else version(name))
    with pytest.raises(checkpoint.Unusable, match="made with other versions of ale-py"):
        run.interrupt(lambda arrays: monkeypatch.undo() or arrays)


def test_a_record_names_the_version_of_the_emulator():
    pytest.importorskip("ale_py")
    study = Study("emulated", ("atari:pong", "catch"), {"DQN": CONFIG}, range(1), 24, EVALUATION)
    found = {cell.game: records.about_failure(cell)["versions"] for cell in spec.cells(study)}
    assert found["atari:pong"].keys() - found["catch"].keys() == {"ale-py"}
