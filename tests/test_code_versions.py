"""Versions of code outside of the package: what changes them, and what does not."""

import importlib
import sys
import types

import jax
import pytest

from jaxdqn import code_versions, games
from jaxdqn.code_versions import CodeVersions
from jaxdqn.study import load_script, spec
from jaxdqn.training import devices
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL

GAME = """
import gymnasium.envs.classic_control, {helper}
from jaxdqn.games import cartpole
def corridor():
    return cartpole.make(max_steps=9)
class Edited(gymnasium.envs.classic_control.CartPoleEnv):
    pass
gymnasium.registry.pop(f"{__name__}-v0", None)
gymnasium.register(f"{__name__}-v0", entry_point=Edited)
"""
SCRIPT = """
from jaxdqn.algorithms import dqn
from jaxdqn.config_fields import configuration, number
from jaxdqn.networks.network import QNetwork
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation
import {helper}

WIDTH = 3
OTHER = 4

def unused():
    return 1

def used():
    return WIDTH

@configuration
class Own(QNetwork):
    def make(self, *arguments):
        used()
        return super().make(*arguments)

import dataclasses
CONFIG = dataclasses.replace(dqn.CONFIG, network=Own())
STUDY = Study("own", ("catch",), {"own": CONFIG}, range(3), 200, Evaluation(200, 1))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Returns a function that writes a module and the two that it imports, and returns the versions of its game."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"own_games_{tmp_path.name}"

    def write(text=GAME, helper="LENGTH = 1", inner=""):
        for path, content in (("_helper", helper), ("_inner", inner), ("", text)):
            (tmp_path / f"{name}{path}.py").write_text(content.replace("{helper}", f"{name}_helper"))
        for known in [known for known in sys.modules if known.startswith(name)]:
            del sys.modules[known]
        importlib.invalidate_caches()
        return name

    return write


def test_the_sources_of_a_game_are_its_module_and_what_that_imports(module):
    name = module(helper=f"def f():\n    import {module()}_inner", inner="X = 1")
    before = games.make(f"{name}:corridor").code
    assert set(before.sources) == {name, f"{name}_helper", f"{name}_inner"}
    assert all(len(digest) == 16 for digest in before.sources.values())
    assert before.packages == {}
    assert games.make(f"{name}:corridor").name == f"{name}:corridor"
    module(helper=f"def f():\n    import {name}_inner", inner="X = 22")
    after = games.make(f"{name}:corridor").code
    assert [key for key in before.sources if before.sources[key] != after.sources[key]] == [f"{name}_inner"]


def test_an_environment_and_its_wrappers_have_their_sources(module):
    name = module()
    for game in (f"gymnasium:{name}:{name}-v0", f"gymnasium:{name}-v0"):  # the second time, the module is imported
        assert set(games.make(game).code.sources) == {name, f"{name}_helper"}
    for wrapper in ("RewardPlusOne", "doubled"):
        wrapped = games.make(f"gymnasium:CartPole-v1|tests.helpers.host_games:{wrapper}")
        assert "tests.helpers.host_games" in wrapped.code.sources


def test_the_code_of_this_package_and_of_gymnasium_has_no_version_of_its_own():
    for name in ("catch", "gymnasium:CartPole-v1", "gymnasium:CartPole-v1|gymnasium.wrappers:TimeAwareObservation"):
        assert games.make(name).code == CodeVersions()


def test_code_in_an_installed_package_has_the_version_of_the_package():
    assert code_versions.of([pytest.fixture, "json", None]).sources == {}
    assert set(code_versions.of([pytest.fixture]).packages) == {"pytest"}


def test_the_version_of_its_code_is_in_the_identifier_of_a_run(module):
    name = module()
    study = spec.Study("own", (f"{name}:corridor",), {"dqn": SMALL}, range(1), 200, Evaluation(200, 1))
    (cell,) = spec.cells(study)
    assert set(cell.determinants["game"]["sources"]) == {name, f"{name}_helper"}
    module(GAME + "# another version")
    spec.game.cache_clear()
    (other,) = spec.cells(study)
    assert other.id != cell.id
    assert other._replace(id=cell.id, determinants=cell.determinants) == cell


def test_a_switch_of_jax_that_changes_numbers_is_in_the_identifier_of_a_run():
    study = spec.Study("own", ("catch",), {"dqn": SMALL}, range(1), 200, Evaluation(200, 1))
    (cell,) = spec.cells(study)
    assert "switches" not in cell.determinants
    with jax.default_matmul_precision("highest"):
        (other,) = spec.cells(study)
    assert other.determinants["switches"] == {"jax_default_matmul_precision": "highest"}
    assert other.id != cell.id
    made = []
    config = types.SimpleNamespace(update=lambda name, value: made.append((name, value)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "jax", types.SimpleNamespace(config=config))
        devices.set_switches(other.determinants["switches"])
    assert made == [("jax_default_matmul_precision", "highest")]


def test_of_a_script_counts_the_part_with_all_that_it_uses(tmp_path, module):
    helper = f"{module()}_helper"

    def sources(*changes):
        text = SCRIPT.replace("{helper}", helper)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "own_script.py").write_text(text)
        (cell, *_) = spec.cells(load_script.load(tmp_path / "own_script.py").study)
        return cell.determinants["part_sources"]

    before = sources()
    assert set(before) == {"own_script"}
    assert sources(("range(3)", "range(9)"), ("OTHER = 4", "OTHER = 5"), ("return 1", "return 2")) == before
    assert sources(("WIDTH = 3", "WIDTH = 4")) != before
    assert sources(("@configuration", "@configuration  # decorated")) != before
    assert set(sources(("    return WIDTH", f"    return WIDTH + {helper}.LENGTH"))) == {"own_script", helper}
