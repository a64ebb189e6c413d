"""Imports point downwards: the layers of the package, from top to bottom."""

import ast
import pathlib
import subprocess
import sys

import jaxdqn

PACKAGE = pathlib.Path(jaxdqn.__file__).parent

# What each layer may import from the package, besides itself.
BASE = {
    "action_masks",
    "code_versions",
    "config_dicts",
    "config_fields",
    "game_interfaces",
    "interfaces",
    "other_names",
    "outputs",
    "own_parts",
    "plain_numbers",
    "spelling",
    "user_modules",
}
PARTS = {
    "networks",
    "replay",
    "targets",
    "distributional",
    "losses",
    "exploration",
    "returns",
    "optimizers",
    "target_network",
    "schedules",
    "noise",
}
MAY_IMPORT = {
    "action_masks": {"game_interfaces", "interfaces", "outputs"},
    "config_dicts": {"config_fields", "own_parts"},
    "config_fields": {"plain_numbers", "spelling"},
    "code_versions": set(),
    "game_interfaces": {"code_versions", "interfaces"},
    "interfaces": {"outputs"},
    "outputs": set(),
    "own_parts": {"code_versions", "spelling", "user_modules"},
    "other_names": set(),
    "plain_numbers": set(),
    "spelling": {"other_names"},
    "user_modules": {"spelling"},
    **{part: set(BASE) for part in PARTS},
    "networks": BASE | {"distributional", "noise"},  # a risk is a part of a head
    "replay": BASE | {"returns", "schedules", "targets"},
    "rewards_and_terminations": BASE | {"returns"},
    "exploration": BASE | {"schedules"},
    "config": BASE | PARTS,
    "games": BASE,
    "algorithms": BASE | PARTS | {"config"},
    "learner": BASE | {"config", "noise", "optimizers"},
    "training": BASE
    | {"config", "exploration", "learner", "games", "networks", "noise", "replay", "rewards_and_terminations"},
    "settings": BASE | PARTS | {"algorithms", "config", "games", "training"},
    "store": set(),
    "analysis": {"store", "spelling"},
    "export": {"store", "analysis", "spelling"},
    "figures": {"store", "analysis", "spelling"},
    "play": BASE | {"config", "games", "learner", "networks", "exploration", "store", "analysis"},
    "study": BASE | {"analysis", "config", "games", "training", "store", "export"},
    "search": BASE | {"config", "games", "training", "store", "analysis", "study"},
    "commands": BASE
    | {
        "config",
        "games",
        "algorithms",
        "training",
        "store",
        "analysis",
        "export",
        "figures",
        "play",
        "study",
        "search",
        "settings",
    },
    "__main__": {"commands"},
}


def imports():
    """Yields `(layer, imported layer, file)` for every import of the package within itself."""
    for path in PACKAGE.rglob("*.py"):
        layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxdqn":
                rest = node.module.split(".")[1:]
                names = [rest[0]] if rest else [alias.name for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [a.name.split(".")[1] for a in node.names if a.name.startswith("jaxdqn.")]
            for name in names:
                yield layer, name, path.relative_to(PACKAGE)


def test_every_layer_imports_only_layers_below_it():
    found = set(imports())
    wrong = [row for row in found if row[0] not in ("__init__", row[1]) and row[1] not in MAY_IMPORT[row[0]]]
    assert len(found) > 30
    assert not wrong


def test_results_figures_and_help_need_no_jax():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("jax", "jaxlib", "flax", "optax"):
            raise ImportError(f"{name} must not be imported")
sys.meta_path.insert(0, Refuse())
import jaxdqn.store.store, jaxdqn.analysis.statistics, jaxdqn.analysis.study_tables, jaxdqn.analysis.by_arm
import jaxdqn.store.weights, jaxdqn.commands.runs, jaxdqn.commands.export
import jaxdqn.figures.learning_curves, jaxdqn.figures.sensitivity, jaxdqn.figures.style, jaxdqn.figures.captions
import jaxdqn.figures.training_episodes, jaxdqn.figures.inputs, jaxdqn.commands.figure
from jaxdqn import commands
for arguments in (*([command, "--help"] for command in commands.COMMANDS), ["--help"]):
    try:
        commands.main(arguments)
    except SystemExit as end:
        assert not end.code
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "jaxdqn train catch dqn --help" in done.stdout
    assert "which weights of a folder" in done.stdout
    assert "kinds of figures" in done.stdout


def test_importing_the_package_starts_no_device():
    code = """
import jaxdqn.commands.train, jaxdqn.games, jaxdqn.algorithms, jaxdqn.commands.play
from jax._src import xla_bridge
assert not xla_bridge._backends, xla_bridge._backends
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_writing_a_study_down_starts_no_device():
    """The command chooses the devices after the study was made; too late, and all but one core are idle."""
    code = """
from jax._src import xla_bridge
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.study.spec import Study
from jaxdqn.training import devices
from jaxdqn.training.evaluate import Evaluation
tabular = {"tabular_q_learning"}
games = ("cartpole", "gymnasium:CartPole-v1")
for name, entry in ALGORITHMS.items():
    chosen = ("mountain_car", "gymnasium:MountainCar-v0") if name in tabular else games
    Study("study", chosen, {name: entry.config}, range(1), 20_480, Evaluation(20_480, 1))
    assert not xla_bridge._backends, name
devices.use_cores(3)
import jax
assert len(jax.devices()) == 3
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pyarrow_is_imported_only_for_packed_studies():
    code = """
import sys
import jaxdqn.commands.script, jaxdqn.search.run_search, jaxdqn.store.packing
assert "pyarrow" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
