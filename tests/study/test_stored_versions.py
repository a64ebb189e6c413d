"""Stored runs that another version of an environment or of an emulator made."""

import dataclasses
from importlib import metadata

import pytest

from jaxdqn import games
from jaxdqn.code_versions import CodeVersions
from jaxdqn.game_interfaces import HostGame
from jaxdqn.store import failures, store
from jaxdqn.study import execute, records, spec, stored_versions
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation
from tests.helpers import synthetic_runs
from tests.helpers.runs import SMALL

GAME = "gymnasium:CartPole-v1"


@pytest.fixture
def played(monkeypatch):
    """Returns a function that gives the game code of a version, or packages that step it."""

    def change(**fields):
        made: HostGame = games.make(GAME)
        monkeypatch.setattr(spec, "game", lambda name: made._replace(**fields))
        return Study(
            "stored",
            (GAME,),
            {"DQN": SMALL, "other": dataclasses.replace(SMALL, discount=0.5)},
            range(2),
            200,
            Evaluation(200, 1),
        )

    return change


def stored(folder, study, *, where=lambda cell: True, **more):
    for cell in filter(where, spec.cells(study)):
        facts = synthetic_runs.facts(algorithm=cell.algorithm, seed=cell.seed)
        store.write(folder, facts | {"id": cell.id, **cell.determinants, **more}, synthetic_runs.curves())


def test_stored_runs_of_another_version_of_the_environment_are_counted(tmp_path, played):
    old = played(code=CodeVersions({"mine": "1", "same": "2"}))
    stored(tmp_path, old, where=lambda cell: cell.algorithm == "DQN")
    before = spec.by_identifier(old)
    assert stored_versions.notes(tmp_path, before) == []
    new = played(code=CodeVersions({"mine": "3", "same": "2"}))
    (note,) = stored_versions.notes(tmp_path, spec.by_identifier(new))
    assert note == (
        f"2 stored runs of DQN on {GAME} are of another version, which differs in the source of mine: new runs are "
        "trained, and the old ones stay"
    )
    assert not set(before) & set(spec.by_identifier(new))


def test_failed_runs_of_another_version_of_the_environment_do_not_go_on(tmp_path, played):
    old = played(code=CodeVersions({"mine": "1"}))
    for cell in spec.cells(old)[:2]:
        failures.write(tmp_path / "failures", cell.id, records.about_failure(cell), "ValueError: broken")
    assert stored_versions.notes(tmp_path / "runs", spec.by_identifier(old)) == []
    new = played(code=CodeVersions({"mine": "2"}))
    (note,) = stored_versions.notes(tmp_path / "runs", spec.by_identifier(new))
    assert note == (
        f"2 failed runs of DQN on {GAME} are of another version, which differs in the source of mine: new runs begin "
        "at step 0, because a run has one version from its first step to its last"
    )


def test_without_code_outside_of_the_package_no_record_is_read(tmp_path, played, monkeypatch):
    study = played()
    stored(tmp_path, study)
    monkeypatch.setattr(store, "read_facts", None)
    assert stored_versions.notes(tmp_path, spec.by_identifier(study)) == []
    stored_versions.check_packages(tmp_path, spec.by_identifier(study))


def test_runs_of_two_versions_of_an_emulator_are_not_mixed(tmp_path, played):
    study, now = played(packages=("numpy",)), metadata.version("numpy")
    assert "packages" not in next(iter(spec.cells(study))).determinants["game"]
    runs = tmp_path / "stored" / "runs"
    stored(runs, study, where=lambda cell: cell.seed == 0, versions={"numpy": "1.0"})
    with pytest.raises(
        ValueError, match=rf"were played by numpy 1\.0, and numpy {now} is installed: install numpy==1\.0"
    ):
        execute.run(study, tmp_path)
    stored(runs, study, where=lambda cell: cell.seed == 1, versions={"numpy": "1.0"})
    assert execute.run(study, tmp_path).num_skipped == 4  # nothing is missing


def test_an_emulator_of_the_same_version_goes_on(tmp_path, played):
    study = played(packages=("numpy",))
    stored(tmp_path, study, where=lambda cell: cell.seed == 0, versions={"numpy": metadata.version("numpy")})
    stored_versions.check_packages(tmp_path, spec.by_identifier(study))
