"""A user's own algorithm, in a file outside of the package, with a metric of its own: it is a curve everywhere."""

import csv
import dataclasses
import importlib
import os
import re
import signal
import sys

import numpy as np
import pytest

from jaxdqn import commands, games
from jaxdqn.export import tensorboard
from jaxdqn.store import store
from jaxdqn.study import execute
from jaxdqn.study.spec import Study
from jaxdqn.training import curves, device_layout, program
from jaxdqn.training.evaluate import Evaluation
from tests.helpers import exported
from tests.helpers.runs import SMALL

pytestmark = pytest.mark.usefixtures("unoptimised")

OWN = '''
"""Q-learning with the absolute error, which reports the rewards that it learns from."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import targets
from jaxdqn.config_fields import configuration
from jaxdqn.interfaces import TRANSITIONS, LossOutput, Requires


@configuration
class Own:
    version: ClassVar[int] = 1
    requires: ClassVar[Requires] = TRANSITIONS

    def loss(self, network, parameters, target_parameters, sample, key):
        online_key, target_key = jax.random.split(key)
        transition = sample.transition
        q_tm1 = network.apply(parameters, transition.s_tm1, online_key).q_values
        q_t = network.apply(target_parameters, transition.s_t, target_key).q_values
        td_error = jax.vmap(targets.q_learning)(q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t)
        return LossOutput(jnp.abs(td_error), jnp.abs(td_error), {"METRIC": VALUE})
'''
EVALUATION = Evaluation(every=200, episodes=1)


def own(folder, monkeypatch, metric="reward_plus_ten", value="transition.r_t + 10.0"):
    """Returns a configuration with the algorithm, imported from a file of that folder."""
    name = f"own_algorithm_{metric}"
    (folder / f"{name}.py").write_text(OWN.replace("METRIC", metric).replace("VALUE", value))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return dataclasses.replace(SMALL, algorithm=importlib.import_module(name).Own())


@pytest.mark.parametrize("game", ["catch", "gymnasium:CartPole-v1"])
def test_its_metric_is_a_curve_everywhere_and_a_checkpoint_keeps_it(tmp_path, monkeypatch, game):
    study = Study("own", (game,), {"own": own(tmp_path, monkeypatch)}, range(1), 600, EVALUATION)
    with tensorboard.opened(tmp_path / "logs") as exporter:
        with monkeypatch.context() as patch:
            interrupt_after_a_period(patch)
            with pytest.raises(KeyboardInterrupt):
                execute.run(study, tmp_path / "results", exporters=[exporter])
        execute.run(study, tmp_path / "results", exporters=[exporter])
    (run,) = store.read(tmp_path / "results" / "own" / "runs").runs
    metric = run.curves["reward_plus_ten"]
    assert metric.shape == (3,)
    assert np.all((metric >= 9.0) & (metric <= 11.0))
    assert len(np.unique(metric)) > 1 or game != "catch"  # every reward of CartPole is 1
    assert set(run.curves) == {*curves.FIXED, "reward_plus_ten"}
    execute.run(study, tmp_path / "at_once")
    (at_once,) = store.read(tmp_path / "at_once" / "own" / "runs").runs
    for name, values in run.curves.items():
        np.testing.assert_array_equal(values, at_once.curves[name], err_msg=name)

    (log,) = {path.parent for path in (tmp_path / "logs").rglob("events.out.tfevents.*")}
    points = exported.scalars(log)["reward_plus_ten"]
    assert points == list(zip([200, 400, 600], map(float, metric), strict=True))
    folder = str(tmp_path / "results" / "own")
    commands.main(["export", folder, "--to", "csv", "--out", str(tmp_path / "curves.csv")])
    rows = list(csv.DictReader((tmp_path / "curves.csv").read_text().splitlines()))
    np.testing.assert_allclose([float(row["reward_plus_ten"]) for row in rows], metric, rtol=1e-6)
    commands.main(["figure", folder, "curves", "--score", "reward_plus_ten", "--out", str(tmp_path / "curves")])
    assert (tmp_path / "curves.svg").stat().st_size > 0


def interrupt_after_a_period(monkeypatch):
    """Requests the next study to stop after one evaluation period."""
    advance, count = execute.progress.Bar.advance, []

    def advance_and_interrupt(bar, *arguments):
        advance(bar, *arguments)
        count.append(arguments)
        if len(count) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(execute.progress.Bar, "advance", advance_and_interrupt)


def test_a_metric_with_the_name_of_another_curve_is_refused(tmp_path, monkeypatch):
    config, game = own(tmp_path, monkeypatch, "steps"), games.make("catch")
    with pytest.raises(ValueError, match="algorithm = Own returns a metric 'steps', which every run has a curve of"):
        program.make(config, game, EVALUATION, device_layout.choose(config, game, 1))


def test_a_metric_that_is_not_one_number_an_example_is_refused(tmp_path, monkeypatch):
    config, game = own(tmp_path, monkeypatch, "reward", "transition.r_t.mean()"), games.make("gymnasium:CartPole-v1")
    with pytest.raises(ValueError, match=re.escape("the metric 'reward' as float32 (): it must be float32 (16,)")):
        program.make(config, game, EVALUATION, device_layout.choose(config, game, 1))
