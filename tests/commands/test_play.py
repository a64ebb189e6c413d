"""`jaxdqn play` on the command line."""

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxdqn import commands
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.play import show
from jaxdqn.store import manifest, store, weights
from tests.helpers import faulty_games, synthetic_runs, trained


def jaxdqn(capsys, *arguments):
    """Returns the exit status and what was printed on stdout and stderr."""
    try:
        commands.main(["play", *map(str, arguments)])
        status = 0
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


@pytest.fixture
def cartpole(tmp_path):
    return trained.save(tmp_path / "cartpole", "cartpole")


def size(path):
    with Image.open(path) as image:
        return image.size


def still_paddle(path):
    """Writes weights of an agent that never moves the paddle in catch, and returns the path of their facts."""
    network = QNetwork(Dense(()))
    named = {"params/Dense_0/kernel": np.zeros((100, 3)), "params/Dense_0/bias": np.array([0.0, 1.0, 0.0])}
    return weights.save(path, trained.facts("catch", network, algorithm="still", seed=4), named)


def test_catch_is_shown_in_plain_characters_without_a_terminal(tmp_path, capsys):
    path = still_paddle(tmp_path / "still")
    status, out, err = jaxdqn(capsys, path, "--episodes", 2)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == f"catch: still, seed 4 ({path})"
    assert [line for line in lines if line.startswith("step")] == [f"step {i}, return 0" for i in range(10)] + [
        next(line for line in lines if line.startswith("step 10"))
    ]
    boards = np.array([list(line) for line in lines if re.fullmatch("[.#]{10}", line)]).reshape(11, 10, 10)
    assert (boards[:, 9] == boards[0, 9]).all()  # the paddle
    assert [np.argwhere(board[:9] == "#")[:, 0].tolist() for board in boards] == [[i] for i in range(9)] + [[], []]
    assert re.fullmatch(r"episode 0: return -?1, 10 steps", lines[-3])
    assert re.fullmatch(r"episode 1: return -?1, 10 steps", lines[-2])
    assert re.fullmatch(r"mean return of 2 episodes: (-1|0|1)", lines[-1])


def test_the_same_command_prints_the_same(cartpole, capsys):
    first = jaxdqn(capsys, cartpole, "--epsilon", 0.5, "--seed", 3)
    assert jaxdqn(capsys, cartpole, "--epsilon", 0.5, "--seed", 3) == first
    assert jaxdqn(capsys, cartpole, "--epsilon", 0.5, "--seed", 4) != first
    assert first[1].splitlines()[-1] == "(to see the game: --out film.gif)"
    assert first[1].count("episode ") == 3


def test_an_animation_and_a_strip_are_made_and_never_overwritten(cartpole, tmp_path, capsys):
    for name, expected in (("film.gif", (120, 80)), ("strip.png", (6 * 124 - 4, 2 * 84 - 4))):
        arguments = (cartpole.with_suffix(".npz"), "--out", tmp_path / name, "--width", 120, "--episodes", 2)
        status, out, err = jaxdqn(capsys, *arguments)
        assert (status, err) == (0, "")
        assert re.search(rf"{name}: \d+ frames, \d+ kB$", out.strip())
        assert size(tmp_path / name) == expected
        made = (tmp_path / name).read_bytes()
        status, _, err = jaxdqn(capsys, *arguments)
        assert status == 2
        assert err.endswith(f"{name} exists and is not overwritten: delete it, or use another name.\n")
        assert (tmp_path / name).read_bytes() == made


def test_a_film_has_a_frame_every_k_steps_and_one_at_the_end(tmp_path, capsys):
    path = still_paddle(tmp_path / "still")
    for every, expected in ((1, 11), (3, 5), (4, 4), (100, 2)):
        out = jaxdqn(capsys, path, "--out", tmp_path / f"{every}.png", "--every", every)[1]
        assert f"{every}.png: {expected} frames" in out


def test_a_message_reports_frames_beyond_the_maximum(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(show, "MOST_FRAMES", 5)
    path = still_paddle(tmp_path / "still")
    status, out, err = jaxdqn(capsys, path, "--out", tmp_path / "film.gif", "--episodes", 2)
    assert status == 0
    assert "film.gif: 5 frames" in out
    assert err == "only the first 5 frames are kept; with a larger --every, each episode needs fewer frames\n"


def test_the_best_run_of_a_study_is_played_and_its_name_is_printed(tmp_path, capsys):
    for algorithm, earned in (("DQN", 9.0), ("strong", 10.0)):
        described = synthetic_runs.facts(game="cartpole", algorithm=algorithm, **_configuration())
        curves = {"steps": [500, 1_000], "evaluation_return": [0.0, earned]}
        store.write(tmp_path / "runs", described, curves, {"weights": weights.flatten(trained.parameters("cartpole"))})
    assert "\n".join(jaxdqn(capsys, tmp_path)[1:]).startswith(
        "cartpole: strong, seed 0, 20,000 steps, last evaluation 10 ("
    )
    assert jaxdqn(capsys, tmp_path, "--arm", "DQN")[1].startswith("cartpole: DQN, seed 0")


def test_with_best_the_weights_at_the_highest_evaluation_return_are_played(tmp_path, capsys):
    described = synthetic_runs.facts(game="cartpole", best_step=500, **_configuration())
    curves = {"steps": [500, 1_000], "evaluation_return": [10.0, 4.0]}
    last, best = (weights.flatten(trained.parameters("cartpole", seed=seed)) for seed in (0, 1))
    named = last | {f"best/{name}": values for name, values in best.items()}
    store.write(tmp_path / "runs", described, curves, {"weights": named})
    alone = trained.save(tmp_path / "alone", "cartpole", seed=1)
    about, *played = jaxdqn(capsys, tmp_path, "--best", "--seed", 5)[1].splitlines()
    assert about.startswith(
        "cartpole: DQN, seed 0, 20,000 steps, best evaluation 10 after 500 steps (the last one 4) ("
    )
    assert played == jaxdqn(capsys, alone, "--seed", 5)[1].splitlines()[1:]
    assert played != jaxdqn(capsys, tmp_path, "--seed", 5)[1].splitlines()[1:]


def test_the_typical_run_is_played_in_its_typical_episode_with_its_return_and_its_rank(tmp_path, capsys):
    for seed, earned in enumerate((30.0, 10.0, 20.0)):
        described = synthetic_runs.facts(game="cartpole", seed=seed, **_configuration())
        attached = {"weights": weights.flatten(trained.parameters("cartpole", seed=seed))}
        store.write(tmp_path / "runs", described, {"steps": [500], "evaluation_return": [earned]}, attached)
    out = jaxdqn(capsys, tmp_path, "--run-seed", 2, "--episodes", 9, "--seed", 3)[1]
    returns = [float(found) for found in re.findall(r"^episode \d: return (\d+),", out, re.MULTILINE)]
    mean = sum(returns) / 9
    nearest = min(range(9), key=lambda episode: abs(returns[episode] - mean))
    assert nearest > 0  # else any rule that takes the first would do
    film = tmp_path / "film.gif"
    out = jaxdqn(capsys, tmp_path, "--typical", "--episodes", 9, "--seed", 3, "--out", film, "--every", 1)[1]
    about, episode, written = out.splitlines()
    assert about.startswith(
        "cartpole: DQN, seed 2, 20,000 steps, last evaluation 20, number 2 of 3 runs, whose median is 20"
    )
    said = f"return {returns[nearest]:g}, {returns[nearest]:g} steps"
    assert episode == f"episode {nearest}: {said}, nearest of 9 to their mean return {mean:g}"
    assert written.startswith(f"{film}: {int(returns[nearest]) + 1} frames")  # one a step of that episode, no other


def _configuration():
    return {"configuration": trained.facts()["configuration"]}


@pytest.mark.parametrize("loss", ["lost", "damaged", "renamed"])
def test_weights_are_played_without_the_curves_of_their_run(tmp_path, capsys, loss):
    facts = synthetic_runs.facts(game="cartpole", **_configuration())
    curves = {"steps": [500], "evaluation_return": [3.0]}
    attached = {"weights": weights.flatten(trained.parameters("cartpole"))}
    path = store.write(tmp_path / "runs", facts, curves, attached)
    curves_path = path.with_name(json.loads(path.read_text())["curves"]["file"])
    if loss == "renamed":
        path = path.rename(path.with_name("mine.json"))
    elif loss == "lost":
        curves_path.unlink()
    else:
        curves_path.write_bytes(b"")
    for given in (path, tmp_path):
        status, out, err = jaxdqn(capsys, given, "--episodes", 1)
        assert (status, err) == (0, "")
        assert out.startswith(f"cartpole: DQN, seed 0, 20,000 steps ({path})")


def test_a_host_game_is_played_and_filmed(tmp_path, capsys):
    path = trained.save(tmp_path / "weights", "gymnasium:CartPole-v1")
    printed = jaxdqn(capsys, path, "--episodes", 2)[1].splitlines()
    filmed = jaxdqn(capsys, path, "--episodes", 2, "--out", tmp_path / "film.gif")[1].splitlines()
    assert printed[:-1] == filmed[:-1]
    assert size(tmp_path / "film.gif") == (300, 200)


@pytest.mark.parametrize(
    ("game", "package", "expected"),
    [("atari:pong,limit=40", "ale_py", (160, 210)), ("doom:basic", "vizdoom", (160, 120))],
)
def test_an_emulator_is_filmed_in_its_own_picture(tmp_path, capsys, game, package, expected):
    pytest.importorskip(package, reason=f'needs pip install "jaxdqn[{game.partition(":")[0]}]"')
    path = trained.save(tmp_path / "weights", game)
    status, printed, err = jaxdqn(capsys, path, "--episodes", 1, "--out", tmp_path / "film.gif")
    assert (status, err) == (0, "")
    assert f"{game}: " in printed
    assert size(tmp_path / "film.gif") == expected
    if game.startswith("atari"):
        printed_without = jaxdqn(capsys, path, "--episodes", 1)[1]
        assert printed.splitlines()[1] == printed_without.splitlines()[1]  # the same episode


def test_a_module_is_imported_only_if_the_user_names_it(tmp_path, capsys, monkeypatch):
    (tmp_path / "unknown_module.py").write_text("import tests.helpers.host_games\nopen(__file__ + '.ran', 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    game = "gymnasium:unknown_module:OneState-v0"
    known = "gymnasium:tests.helpers.host_games:OneState-v0"
    facts = trained.facts(known) | {"game": {"name": game, "version": 1}}
    path = weights.save(tmp_path / "weights", facts, weights.flatten(trained.parameters(known)))
    status, out, err = jaxdqn(capsys, path)
    assert (status, out) == (2, "")
    assert err == f"error: {path} needs code of unknown_module to run: if you trust it, add --trust unknown_module.\n"
    assert not (tmp_path / "unknown_module.py.ran").exists()
    assert jaxdqn(capsys, path, "--trust", "another_module")[0] == 2
    assert jaxdqn(capsys, path, "--game", game)[0] == 0
    assert (tmp_path / "unknown_module.py.ran").exists()
    assert jaxdqn(capsys, path, "--trust", "unknown_module")[0] == 0


def test_a_game_whose_source_changed_since_training_is_named(tmp_path, capsys):
    module = "tests.helpers.host_games"
    path = trained.save(tmp_path / "weights", f"gymnasium:{module}:OneState-v0")
    assert jaxdqn(capsys, path, "--trust", module)[2] == ""
    path.write_text(re.sub(f'("{module}"): "[0-9a-f]+"', r'\1: "0"', path.read_text()))
    status, _, err = jaxdqn(capsys, path, "--trust", module)
    assert (status, err) == (0, f"note: the source of {module} differs from when the agent was trained\n")


def test_control_characters_in_facts_do_not_reach_the_terminal(tmp_path, capsys):
    path = trained.save(tmp_path / "weights", "probe_value", algorithm="\x1b]0;title\x07")
    out = jaxdqn(capsys, path)[1]
    assert "title" in out
    assert "--out" not in out  # a probe cannot be drawn
    assert "\x1b" not in out
    status, _, err = jaxdqn(capsys, path, "--arm", "DQN")
    assert status == 2
    assert "Use one of \\x1b]0;title\\x07." in err


def test_whole_episodes_of_cartpole_stay_below_a_megabyte(tmp_path, capsys):
    # Pushing to where the pole leans and turns keeps it upright for all 500 steps.
    towards = np.array([0.05, 0.1, 1.0, 0.5])
    named = {"params/Dense_0/kernel": np.stack([-towards, towards], axis=-1), "params/Dense_0/bias": np.zeros(2)}
    path = weights.save(tmp_path / "balance", trained.facts("cartpole", QNetwork(Dense(()))), named)
    out = jaxdqn(capsys, path, "--out", tmp_path / "film.gif")[1]
    assert "episode 0: return 500, 500 steps" in out
    assert (tmp_path / "film.gif").stat().st_size < 200_000


BAD = [
    (["nowhere"], "nowhere does not exist"),
    (["cartpole.json", "--episodes", "0"], "--episodes 0 is out of range: it must be between 1 and 10000."),
    (["cartpole.json", "--seed", "-1"], "--seed -1 is out of range"),
    (["cartpole.json", "--epsilon", "2"], "--epsilon 2.0 is out of range: it must be between 0 and 1."),
    (["cartpole.json", "--epsilon", "nan"], "--epsilon nan is out of range"),
    (["cartpole.json", "--delay", "-1"], "--delay -1.0 is out of range"),
    (["cartpole.json", "--every", "0"], "--every 0 is out of range"),
    (["cartpole.json", "--width", "0"], "--width 0 is out of range"),
    (["cartpole.json", "--width", "wide"], "'wide' must be a whole number, such as 2000, 2_000 or 2e3"),
    (["cartpole.json", "--out", "film.avi"], "film.avi has the suffix '.avi': use one of .gif, .png, .mp4."),
    (["cartpole.json", "--out", "no/film.gif"], "is not a writable folder"),
    (["cartpole.json", "--arm", "DQN"], "cartpole.json has no weights with --arm 'DQN'. Omit this option."),
    (["probe.json", "--out", "film.gif"], "probe_value cannot be rendered: play it without --out to see its returns."),
    (["foreign.json"], "foreign.json has no weights"),
    (["foreign.npz"], "foreign.npz belongs to no JSON in its folder"),
    (["other.json"], "do not fit their network on catch (observations of shape [100], 3 actions)"),
    ([], "results holds no study: train one with `jaxdqn train GAME ALGORITHM`, or give the folder of a study."),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_invalid_input_ends_in_one_sentence_and_status_2(cartpole, tmp_path, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    trained.save(tmp_path / "probe", "probe_value")
    (tmp_path / "foreign.json").write_text("{}")
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    record = json.loads(cartpole.read_text())
    (tmp_path / "other.json").write_text(json.dumps(record | {"game": trained.facts("catch")["game"]}))
    status, out, err = jaxdqn(capsys, *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1 or err.startswith("usage")
    assert not (tmp_path / "film.gif").exists()


def test_nothing_needs_a_display_or_a_terminal(cartpole, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "SDL_VIDEODRIVER", "TERM")}
    done = subprocess.run(
        [sys.executable, "-m", "jaxdqn", "play", cartpole, "--out", tmp_path / "film.gif"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("cartpole: ")  # nothing greets before it
    assert (tmp_path / "film.gif").exists()


def test_play_says_that_a_study_is_not_finished_or_has_not_begun(tmp_path, monkeypatch, capsys):
    about = {"game": "catch", "algorithm": "still", "settings": {}}
    folder = tmp_path / "results" / "study"
    folder.mkdir(parents=True)
    cells = {f"{number:016x}": about | {"seed": number} for number in range(2)}
    manifest.write(folder, manifest.Manifest("study", 1_000, cells))
    monkeypatch.chdir(tmp_path)
    status, _, err = jaxdqn(capsys)
    assert status == 2
    assert "error: no run of results/study is finished (0 running, 0 failed, 2 missing): train it first" in err
    (folder / "runs").mkdir()
    still_paddle(folder / "runs" / f"{0:016x}")
    status, out, err = jaxdqn(capsys, "--episodes", "1e0")
    assert (status, out.count("episode ")) == (0, 1)
    assert err == "study   results/study\nnote: the study is not finished: 1 of 2 runs done\n"


def test_play_ends_when_the_reader_closes_the_pipe(tmp_path):
    arguments = [sys.executable, "-m", "jaxdqn", "play", still_paddle(tmp_path / "still"), "--episodes", "10000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("catch: ")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_in_a_terminal_catch_is_live(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    commands.main(["play", str(still_paddle(tmp_path / "still")), "--episodes", "2", "--delay", "0"])
    assert stream.getvalue().count("\x1b[10A") == 2 * (10 + 1)  # back to the top for each step, and to wipe
    assert stream.getvalue().count("\x1b[48;5;229m") > 1000


def test_frames_of_odd_and_growing_sizes_are_drawn_and_a_missing_picture_is_one_sentence(tmp_path, capsys, monkeypatch):
    name = "gymnasium:tests.helpers.faulty_games:Sound-v0"
    path, run = trained.save(tmp_path / "own", name), ("--game", name, "--out")
    monkeypatch.setattr(faulty_games.Sound, "render", lambda self: np.zeros((71 + self.time, 101, 3), np.uint8))
    assert jaxdqn(capsys, path, *run, tmp_path / "film.gif")[0] == 0
    assert size(tmp_path / "film.gif") == (101, 81)
    monkeypatch.setattr(faulty_games.Sound, "render", lambda self: None)
    status, _, err = jaxdqn(capsys, path, *run, tmp_path / "other.gif")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: {name} cannot be drawn: ValueError: render returned None")
