"""The command `jaxdqn` on the command line."""

import argparse
import contextlib
import dataclasses
import errno
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

import jaxdqn as package
from jaxdqn import commands, exploration, losses, optimizers, schedules
from jaxdqn.algorithms import ALGORITHMS, dqn
from jaxdqn.commands import configuration_options, play, run_study, script, search_options, train
from jaxdqn.games import GAMES
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Conv, Dense, Impala
from jaxdqn.settings import FAMILIES
from jaxdqn.study.executors import on_ray


def jaxdqn(*arguments):
    environment = os.environ | {"COLUMNS": "300"}  # of tables
    command = [sys.executable, "-m", "jaxdqn", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("table", "entries"), [("games", GAMES), ("algorithms", ALGORITHMS)])
def test_list_prints_every_entry_with_its_summary(table, entries):
    lines = jaxdqn("list", table).stdout.splitlines()[: len(entries)]
    assert [line.split()[0] for line in lines] == list(entries)
    assert all(line.endswith(entry.summary) for line, entry in zip(lines, entries.values(), strict=True))


def test_the_list_of_games_ends_with_the_kinds_of_games_in_python_and_their_extras():
    last = jaxdqn("list", "games").stdout.splitlines()[len(GAMES) :]
    assert [line.split()[0] for line in last] == ["atari:ROM", "doom:SCENARIO", "gymnasium:ID", "MODULE:NAME"]
    for line, extra in zip(last, ("atari", "doom", "box2d"), strict=False):
        assert line.endswith(f"({extra} extra)")


@pytest.mark.parametrize(
    "command", ["list", "train", "plan", "run", "search", "status", "runs", "figure", "export", "play"]
)
def test_help_lists_every_command_and_every_command_has_help(command):
    assert f"\n    {command} " in jaxdqn("--help").stdout
    assert jaxdqn(command, "--help").stdout.startswith(f"usage: jaxdqn {command} ")


def test_without_a_command_help_is_printed(capsys):
    commands.main([])
    assert "\n    train " in capsys.readouterr().out


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        commands.main(["--version"])
    assert capsys.readouterr().out == f"jaxdqn {package.__version__}\n"


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), "a/b: permission denied: choose a folder or file"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a"), "a: not a directory: a part of this path is a"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device: free some space, or choose"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a"), "a: file name too long: choose a shorter name"),
        (OSError(errno.EIO, "Input/output error", "a"), "a: input/output error: choose another folder or file."),
        (FileNotFoundError("a is no folder."), "a is no folder."),
    ],
)
def test_an_error_of_the_operating_system_is_a_sentence(problem, sentence, monkeypatch, capsys):
    def fail(options):
        raise problem

    monkeypatch.setitem(commands.COMMANDS, "list", commands.COMMANDS["list"]._replace(main=fail))
    with pytest.raises(SystemExit, match="2"):
        commands.main(["list", "games"])
    said = capsys.readouterr().err
    assert said.startswith(f"error: {sentence}")
    assert said.count("\n") == 1


def test_a_closed_pipe_ends_every_command_quietly():
    code = "import sys; from jaxdqn import commands; commands.main(['list', 'games'] * 1)"
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" -c "$1" | (exec 0<&-; exit 0)', sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def examples(command):
    """Returns the arguments of the examples of a command in the help, each without its explanation."""
    lines = re.findall(rf"^  jaxdqn {command} (\S.*?)(?:   .*)?$", commands.EPILOG + play.EPILOG, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("example", examples("train"), ids=" ".join)
def test_an_example_of_training_parses(example, tmp_path, monkeypatch):
    (tmp_path / "my_algorithms.py").write_text("from jaxdqn.algorithms.dqn import CONFIG as clipped")
    (tmp_path / "my_networks.py").write_text("from jaxdqn.networks.network import QNetwork as Wide")
    monkeypatch.syspath_prepend(tmp_path)
    game, *words = example
    algorithms, arguments = train._split(train.parse_run_options(words)[-1])
    for algorithm in algorithms:
        with pytest.raises(SystemExit, match="0") if "--help" in arguments else contextlib.nullcontext():
            configuration_options.parse(game, algorithm, arguments)


@pytest.mark.parametrize("example", examples("play"), ids=" ".join)
def test_an_example_of_playing_parses(example, capsys):
    with pytest.raises(SystemExit, match="2"):
        commands.main(["play", *example, "--episodes", "0"])
    assert capsys.readouterr().err.startswith("error: --episodes 0 is out of range")


def test_any_field_is_an_option():
    options, config = configuration_options.parse(
        "catch",
        "dqn",
        shlex.split(
            "--settings default --steps 4000 --evaluation.episodes 7 --learning-rate 3e-4 --network.torso.hidden 32 16 "
            "--network.activation tanh --max-gradient-norm 10 optimizer:rms-prop --optimizer.decay 0.95 "
            "exploration.epsilon:constant --exploration.epsilon.value 0.2 "
            "algorithm.error:huber --algorithm.error.delta 2"
        ),
    )
    assert (options.steps, options.evaluation.episodes, options.evaluation.every) == (4_000, 7, 5_000)
    assert (config.learning_rate, config.max_gradient_norm) == (3e-4, 10.0)
    assert config.network == QNetwork(Dense((32, 16)), activation="tanh")
    assert config.optimizer == optimizers.RMSProp(decay=0.95)
    assert config.exploration == exploration.EpsilonGreedy(schedules.Constant(0.2))
    assert config.algorithm == dqn.DQN(error=losses.Huber(2.0))
    assert config.discount == dqn.CONFIG.discount


@pytest.mark.parametrize(
    ("arguments", "torso"),
    [
        (
            "network.torso:conv --network.torso.channels 32 64 --network.torso.kernel-sizes 8 4 "
            "--network.torso.strides 4 2 --network.torso.padding SAME --network.torso.hidden 512",
            Conv((32, 64), (8, 4), (4, 2), "SAME", (512,)),
        ),
        ("network.torso:impala --network.torso.width 2", Impala(width=2)),
    ],
    ids=["conv", "impala"],
)
def test_a_torso_of_pictures_is_an_option(arguments, torso):
    assert configuration_options.parse("catch", "dqn", shlex.split(arguments))[1].network == QNetwork(torso)


@pytest.mark.parametrize(
    ("game", "arguments", "name"),
    [
        ("mountain_car", [], "mountain_car"),
        ("catch", ["--settings", "default"], "default"),
        ("catch", ["--settings=mountain_car"], "mountain_car"),
        ("probe_both", ["--seeds", "3"], "default"),
    ],
)
def test_training_starts_from_the_settings_of_the_game_or_from_those_that_are_named(game, arguments, name):
    options, config = configuration_options.parse(game, "double_dqn", arguments)
    family = FAMILIES[name]
    assert config == family.apply("double_dqn", ALGORITHMS["double_dqn"].config)
    assert (options.settings, options.steps, options.evaluation) == (name, family.steps, family.evaluation)


def test_an_option_replaces_a_value_of_the_settings():
    arguments = shlex.split("--steps 20000 --evaluation.every 2000 --learning-rate 0.5")
    options, config = configuration_options.parse("mountain_car", "dqn", arguments)
    family = FAMILIES["mountain_car"]
    assert (options.steps, options.evaluation) == (20_000, dataclasses.replace(family.evaluation, every=2_000))
    assert config == dataclasses.replace(family.apply("dqn", dqn.CONFIG), learning_rate=0.5)


def test_unknown_settings_get_a_suggestion():
    with pytest.raises(ValueError, match=r"no settings are called 'cach'\. Did you mean 'catch'"):
        configuration_options.parse("catch", "dqn", ["--settings", "cach"])


def test_the_list_of_settings_names_games_sources_and_results(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "500")
    commands.main(["list", "settings"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FAMILIES)
    for line, family in zip(lines, FAMILIES.values(), strict=True):
        assert all(pattern in line for pattern in family.games)
        assert line.endswith(family.source + (f" (results/{family.result})" if family.result else ""))


@pytest.mark.parametrize(
    ("arguments", "name", "note"),
    [
        ("train catch dqn", "catch", ""),
        ("train catch dqn --settings default", "default", ""),
        (
            "train catch dqn --settings acrobot",
            "acrobot",
            "note: the settings acrobot are meant for acrobot gymnasium:Acrobot-v*\n",
        ),
    ],
)
def test_a_study_names_its_settings_and_a_note_says_that_they_are_for_other_games(
    arguments, name, note, monkeypatch, capsys
):
    studies = []
    monkeypatch.setattr(script, "run_and_show", lambda study, *rest, **more: studies.append(study))
    commands.main(arguments.split())
    assert [study.base_settings for study in studies] == [name]
    assert capsys.readouterr().err == note


def test_options_for_running_a_study_may_be_mixed_with_fields():
    arguments = "--async --learning-rate 0.1 --executor ray --memory 2G --seeds 3 --slurm time=9 mem=2G --discount 0.5"
    running, _, rest = train.parse_run_options(shlex.split(arguments))
    assert rest == shlex.split("--learning-rate 0.1 --seeds 3 --discount 0.5")
    assert (running.asynchronous, running.memory, running.run.func) == (True, 2 * 2**30, on_ray.run)
    assert train.parse_run_options(["--learning-rate", "0.1"]) == (
        run_study.DEFAULT_OPTIONS,
        [],
        ["--learning-rate", "0.1"],
    )


def test_the_help_of_train_shows_fields_and_options_for_running(capsys):
    with pytest.raises(SystemExit, match="0"):
        commands.main(["train", "catch", "dqn", "--help"])
    shown = capsys.readouterr().out
    assert "--learning-rate" in shown
    assert "--executor" in shown
    assert "settings catch of `jaxdqn list settings`" in " ".join(shown.split())
    assert "20000" in shown  # steps of these settings


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "cartpol", "dqn"], "cartpole"),
        (["train", "catch", "dqn", "--memory", "much"], "'much' is not a size"),
        (["train", "catch", "dqnn"], "Did you mean 'dqn'"),
        (["train", "catch", "dqn", "--steps", "many"], "'many' must be a whole number, such as 2000, 2_000 or"),
        (["train", "catch"], "ALGORITHM"),
        (["list", "things"], "invalid choice: 'things'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_input_ends_in_one_sentence_and_status_2(arguments, sentence):
    done = jaxdqn(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("dqn --learning-rat 1", "dqn has no option '--learning-rat'. Did you mean '--learning-rate' or"),
        ("dqn --lr 1", "dqn has no option '--lr'. Did you mean '--learning-rate'? `jaxdqn train catch dqn --help`"),
        ("dqn --seed 3", "dqn has no option '--seed'. --seeds 3 trains three runs, with the seeds 0, 1 and 2. `jaxdqn"),
        ("dqn --discount 2", "--discount 2.0 is out of range: it must be at least 0"),
        ("dqn --network.torso.hidden 8 0", "--network.torso.hidden 8 0 is out of range: it must be at least 1."),
        ("dqn network.torso:conv", "network.torso:conv needs pictures"),
        ("dqn --evaluation.episodes 0", "--evaluation.episodes 0 must be a whole number of at least 1."),
        ("dqn --seeds 0", "--seeds 0 is out of range: it is the number of runs, at least 1."),
        ("pqn --train-every 500", "replay = Rollout learns from all steps of one training at once: --replay.capacity"),
        ("dqn c51 --discount 2", "dqn: --discount 2.0 is out of range"),
        (
            "c51 dqn --network.head.v-min 3",
            "dqn has no option '--network.head.v-min'. ",
        ),
        ("dqn ddqn", "no algorithm is called 'ddqn'. Did you mean 'double_dqn'?"),
        ("dqn --steps abc", "--steps: 'abc' must be a whole number, such as 2000, 2_000 or 2e3; `jaxdqn train"),
        ("dqn --learning-rate x", "--learning-rate: 'x' must be a number, such as 0.001 or 1e-3; `jaxdqn train"),
        ("dqn --learning-rate", "Missing value for argument '--learning-rate'. Expected 1 values; `jaxdqn train"),
        ("dqn --seeds 0..9", "--seeds: '0..9' must be a whole number, such as 2000, 2_000 or 2e3 (--seeds 10 trains"),
        ("dqn --seeds 0 1 2", "dqn has no option '1'. --seeds takes one value (--seeds 10 trains ten runs, with"),
        ("dqn --batch-size 8 9", "dqn has no option '9'. --batch-size takes one value. `jaxdqn train"),
    ],
)
def test_an_error_names_an_option_as_it_was_typed(arguments, sentence, capsys):
    with pytest.raises(SystemExit, match="2"):
        commands.main(["train", "catch", *arguments.split()])
    said = capsys.readouterr().err
    assert said.startswith(f"error: {sentence}")
    assert said.count("\n") == 1
    is_of_several = "Options apply to all algorithms: train each with its own options and one --name." in said
    assert is_of_several == arguments.startswith("c51 dqn")


def test_a_training_without_names_asks_for_them(capsys):
    with pytest.raises(SystemExit, match="2"):
        commands.main(["train", "catch"])
    assert capsys.readouterr().err.endswith("the following arguments are required: ALGORITHM\n")


def study_of(arguments, monkeypatch):
    """Returns the study that `jaxdqn train` would run, and the other arguments of the function that runs it."""
    found = []
    monkeypatch.setattr(script, "run_and_show", lambda study, *rest, **more: found.append((study, rest)))
    commands.main(["train", *arguments.split()])
    return found[0]


def test_several_algorithms_are_arms_of_one_study_and_options_apply_to_all(monkeypatch, capsys):
    study, (out, _) = study_of("catch dqn double_dqn c51 --discount 0.5 --seeds 2e0 optimizer:sgd", monkeypatch)
    assert study.name == "catch-dqn-double_dqn-c51"
    assert list(study.algorithms) == ["dqn", "double_dqn", "c51"]
    assert {config.discount for config in study.algorithms.values()} == {0.5}
    assert {config.optimizer for config in study.algorithms.values()} == {optimizers.SGD()}
    assert (study.seeds, out) == (range(2), pathlib.Path("results"))
    assert study.algorithms["c51"].network.head is not None
    assert capsys.readouterr().err == ""


def test_the_name_of_a_study_of_many_algorithms_is_a_name_of_a_file(monkeypatch):
    study, _ = study_of(
        f"probe_value {' '.join(name for name in ALGORITHMS if name not in ('r2d2', 'tabular_q_learning'))}",
        monkeypatch,
    )
    assert len(study.name) < 100
    assert re.search(r"-and_\d+_more$", study.name)


@pytest.mark.parametrize("steps", ["1e4", "10_000", "10000"])
def test_a_count_is_written_in_several_ways(steps, monkeypatch):
    arguments = f"catch dqn --steps {steps} --evaluation.every 1e3 --replay.capacity 2e4 --learning-starts 2_0"
    study, _ = study_of(arguments, monkeypatch)
    assert (study.steps, study.evaluation.every) == (10_000, 1_000)
    config = study.algorithms["dqn"]
    assert (config.replay.capacity, config.learning_starts) == (20_000, 20)


def test_steps_of_any_number_have_20_to_40_evaluations_and_counts_are_rounded_up_with_a_note(monkeypatch, capsys):
    study, _ = study_of("catch dqn --steps 4321 --num-environments 3 --learning-starts 100", monkeypatch)
    config = study.algorithms["dqn"]
    assert (config.num_environments, config.train_every, config.learning_starts) == (3, 3, 102)
    assert config.replay.capacity == 20_001
    every = study.evaluation.every
    assert 20 <= study.steps / every <= 40
    assert 0 <= study.steps - 4_321 < every
    assert capsys.readouterr().err.splitlines() == [
        "note: --train-every 3 instead of 2: a multiple of num_environments 3",
        "note: --learning-starts 102 instead of 100: a multiple of train_every 3",
        "note: --replay.capacity 20_001 instead of 20_000: a multiple of num_environments 3",
        f"note: --evaluation.every {every} instead of 1_000: for {study.steps // every} evaluations",
        f"note: --steps {study.steps:_} instead of 4_321: a multiple of evaluation.every {every}",
    ]


def test_a_training_that_ends_before_it_learns_says_so(monkeypatch, capsys):
    study_of("catch dqn --steps 200 --evaluation.every 100", monkeypatch)
    said = "note: nothing is learned in 200 steps: give less than --learning-starts 200\n"
    assert capsys.readouterr().err == said
    study_of("catch dqn --steps 300 --evaluation.every 100", monkeypatch)
    assert capsys.readouterr().err == ""
    study_of("catch dqn --steps 1", monkeypatch)
    assert "for 1 evaluation\n" in capsys.readouterr().err


def test_a_given_period_stays_and_steps_are_rounded_up_to_it(monkeypatch):
    study, _ = study_of("catch dqn --steps 2500 --evaluation.every 1000", monkeypatch)
    assert (study.steps, study.evaluation.every) == (3_000, 1_000)


def test_train_ends_in_records_a_figure_and_a_table(tmp_path):
    arguments = shlex.split("train probe_both dqn --steps 2000 --seeds 2 --evaluation.every 1000 --learning-rate 0.01")
    done = jaxdqn(*arguments, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "probe_both-dqn"
    records = [json.loads(path.read_text()) for path in (folder / "runs").glob("*.json")]
    assert [record["configuration"]["learning_rate"] for record in records] == [0.01, 0.01]
    assert [record["base_settings"] for record in records] == ["default", "default"]
    assert {path.name for path in folder.iterdir()} == {
        f"probe_both-dqn.{suffix}" for suffix in ("png", "svg", "md")
    } | {"runs", "study.json"}
    assert "\nprobe_both  dqn" in done.stdout
    assert str(folder / "probe_both-dqn.png") in done.stdout


def test_a_wrapper_on_the_command_line_is_a_part_of_the_name_of_the_game(monkeypatch):
    studies = []
    monkeypatch.setattr(script, "run_and_show", lambda study, *rest, **options: studies.append(study))
    wrapper = "tests.helpers.host_games:RewardPlusOne"
    arguments = ["gymnasium:FrozenLake-v1?map_name=8x8&is_slippery=False", "dqn", "--wrapper", wrapper]
    commands.main(["train", *arguments, "--wrapper", wrapper])
    expected = f"gymnasium:FrozenLake-v1?is_slippery=False&map_name=8x8|{wrapper}|{wrapper}"
    assert studies[0].games == (expected,)
    searching = argparse.ArgumentParser()
    search_options.add(searching)
    parsed = searching.parse_args([*arguments, "--space", "learning_rate=log:1e-4:1e-2"])
    assert search_options.parsed(parsed).game == expected.rpartition("|")[0]
    with pytest.raises(SystemExit, match="2"):
        commands.main(["train", "catch", "dqn", "--wrapper", wrapper])


def test_modules_of_the_current_folder_are_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "envs_of_this_folder.py").write_text("")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", os.getcwd())])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        commands.main(["train", "gymnasium:envs_of_this_folder:Own-v0", "dqn"])
    assert "gymnasium has no environment for" in capsys.readouterr().err  # the module was imported
    assert sys.path[0] == str(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        commands.main(["train", "gymnasium:envs_of_another_folder:Own-v0", "dqn"])
    assert re.fullmatch(
        "error: .*no module 'envs_of_another_folder': run the command in the folder .* PYTHONPATH.*\n",
        capsys.readouterr().err,
    )


def test_train_shows_the_other_runs_of_its_folder(monkeypatch):
    given = []
    monkeypatch.setattr(script, "run_and_show", lambda *arguments, **options: given.append(options))
    commands.main(["train", "catch", "dqn"])
    assert given[0]["with_others"]
