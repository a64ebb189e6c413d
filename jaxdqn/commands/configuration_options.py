"""The options of `jaxdqn train GAME ALGORITHM`: one option for each field of the algorithm's configuration."""

import argparse
import contextlib
import dataclasses
import io
import itertools
import pathlib
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from jaxdqn import config_fields, other_names, settings
from jaxdqn.commands import own_part_options
from jaxdqn.commands.options import add_settings
from jaxdqn.config import Config
from jaxdqn.plain_numbers import number_of, whole_of
from jaxdqn.spelling import did_you_mean
from jaxdqn.training.evaluate import Evaluation

_SEEDS = " (--seeds 10 trains ten runs, with the seeds 0 to 9)"


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a study that are not fields of the configuration.

    Attributes:
      settings: settings that all other options start from, a name from `jaxdqn list settings`. By default those of the
        game.
      steps: environment steps of each run, such as 200_000 or 2e5. If other counts must divide them, they are rounded
        up.
      evaluation: when and how runs are evaluated. If only the steps are given, the period is derived, for 20 to 40
        evaluations.
      seeds: number of runs, with seeds 0, 1, ...
      out: folder for the results.
      name: name of the study and of its folder in `out`. By default game and algorithms.
    """

    settings: str
    steps: int
    evaluation: Evaluation
    seeds: int = 5
    out: pathlib.Path = pathlib.Path("results")
    name: str | None = None


def parse(game: str, algorithm: str, arguments: Sequence[str]) -> tuple[Options, Config]:
    """Returns the options, and the configuration with the settings and the changes that the arguments make.

    Raises:
      ValueError: the algorithm, the settings or an option do not exist. The message names them.
    """
    base = _base_settings(arguments) or settings.name_for(game)
    family = settings.named(base)
    default, own, arguments = own_part_options.take(family.configuration(algorithm), arguments)
    # The declared type of `algorithm` is a protocol. The options come from the type of the default, as for own parts.
    declared = typing.get_type_hints(Config)
    types = declared | {name: type(part) for name, part in vars(default).items() if _is_own(part, declared[name])}
    names = [field.name for field in dataclasses.fields(Config)]
    rows = [(name, types[name], dataclasses.field(default=getattr(default, name))) for name in names]
    configuration: Any = dataclasses.make_dataclass("Configuration", rows, frozen=True)
    configuration.__doc__ = Config.__doc__  # the help of its fields
    unprefixed = tyro.conf.arg(name="")
    everything = dataclasses.make_dataclass(
        "Everything",
        [("options", Annotated[Options, unprefixed]), ("config", Annotated[configuration, unprefixed])],
    )
    command = f"jaxdqn train {game} {algorithm}"
    with _NUMBERS, _one_sentence(command):
        parsed, unknown = tyro.cli(
            everything,
            prog=command,
            description=f"Trains {algorithm} on {game}; writes a result folder, a figure and a table. The defaults "
            f"below are the settings {base} of `jaxdqn list settings`. A part of your own is an option, too: --network "
            "my_module:MyNetwork.",
            args=arguments,
            default=everything(Options(base, family.steps, family.evaluation), configuration()),
            config=(tyro.conf.CascadeSubcommandArgs,),
            return_unknown_args=True,
        )
    if unknown:
        hint = other_names.option(unknown[0]) or _similar_option(unknown[0], default) or _one_value(unknown, arguments)
        raise ValueError(f"{algorithm} has no option {unknown[0]!r}.{hint} `{command} --help` lists all options.")
    if parsed.options.seeds < 1:
        raise ValueError(f"--seeds {parsed.options.seeds} is out of range: it is the number of runs, at least 1.")
    config = Config(**{name: getattr(parsed.config, name) for name in names})
    for path, part in own.items():
        config = config_fields.replace_at(config, path, part)
    return parsed.options, config


def _is_own(part: Any, declared: Any) -> bool:
    """Returns whether a part has a type that its field does not declare."""
    return dataclasses.is_dataclass(part) and type(part) not in (declared, *typing.get_args(declared))


def is_given(option: str, arguments: Iterable[str]) -> bool:
    """Returns whether the arguments hold an option, such as `--evaluation.every`."""
    return any(argument.partition("=")[0] == option for argument in arguments)


def is_part(word: str) -> bool:
    """Returns whether a word chooses a part of the configuration, such as `network.torso:conv`."""
    field, colon, _ = word.partition(":")
    return bool(colon) and field.partition(".")[0] in {field.name for field in dataclasses.fields(Config)}


def option_of(field: str) -> str:
    """Returns the option of a field, such as `--replay.capacity` or `--learning-rate`."""
    return f"--{field.replace('_', '-')}"


def as_typed(message: str, config: Config, arguments: Iterable[str]) -> str:
    """Returns an error message about a study with its fields as options: `--train-every 3` for `train_every = 3`.

    Args:
      message: of the error.
      config: whose fields the message may name.
      arguments: of the command; a part is named as in them, such as `network.torso:conv`.
    """
    parts = {word.partition(":")[0]: word for word in arguments if is_part(word)}
    known = _fields(config)

    def typed(found: re.Match[str]) -> str:
        field, value = found.groups()
        if field in parts:
            return parts[field]
        items = value.strip("(,)").replace(",", "")  # of a tuple
        return f"{option_of(field)} {items}" if field in known else found.group()

    return re.sub(r"\b([a-z_][a-z_0-9.]*) = (\([^()]*\)|[^\s,;:(]*[^\s,;:.(])", typed, message)


def _similar_option(word: str, config: Config) -> str:
    names = [option_of(field).removeprefix("--") for field in _fields(config)]
    return did_you_mean(word.partition("=")[0].removeprefix("--"), names, "--") if word.startswith("--") else ""


def _one_value(unknown: Sequence[str], arguments: Sequence[str]) -> str:
    """Returns a hint for words that follow an option and its value, as in `--seeds 0 1 2`."""
    before = list(itertools.takewhile(lambda word: word != unknown[0], arguments))
    option = next((word for word in reversed(before) if word.startswith("--")), None)
    if option is None or unknown[0].startswith("-"):
        return ""
    return f" {option} takes one value{_SEEDS if option == '--seeds' else ''}."


@contextlib.contextmanager
def _one_sentence(command: str) -> Iterator[None]:
    """Converts the box that tyro prints for an invalid value into a ValueError of one sentence."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit as ended:
        if not ended.code:  # tyro has printed its help
            raise
        _, *lines = [line.strip(" │╰╯") for line in printed.getvalue().splitlines()]  # the first one is the title
        parts = itertools.groupby(lines, lambda line: not line.strip("─-"))  # between rulers
        sentence = next(" ".join(part) for is_ruler, part in parts if not is_ruler)
        sentence = sentence.removeprefix("Error parsing ").removesuffix(".")
        sentence += _SEEDS if sentence.startswith("--seeds:") else ""
        raise ValueError(f"{sentence}; `{command} --help` lists all options.") from None


def _fields(config: Config) -> list[str]:
    """Returns the fields that have an option: of the configuration, of `Options` and of the evaluation."""
    of_config = [path for path, field in config_fields.fields(config).items() if field.metadata["kind"] != "part"]
    of_evaluation = [f"evaluation.{field.name}" for field in dataclasses.fields(Evaluation)]
    return [*of_config, *of_evaluation, *(f.name for f in dataclasses.fields(Options) if f.name != "evaluation")]


def _base_settings(arguments: Sequence[str]) -> str | None:
    """Returns the value of `--settings`, which decides the defaults of all other options; None if it is not given."""
    parser = argparse.ArgumentParser("jaxdqn train", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    add_settings(parser)
    found: str | None = parser.parse_known_args(arguments)[0].settings
    return found


def _reading(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Returns how an option of a number is read: `2000`, `2_000` or `2e3` if it is whole, else `0.001` or `1e-3`."""
    if info.type not in (int, float):
        return None
    read: Callable[[str], Any] = whole_of if info.type is int else number_of
    types = (int,) if info.type is int else (int, float)
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=info.type.__name__.upper(),
        instance_from_str=lambda words: read(words[0]),
        is_instance=lambda value: type(value) in types,
        str_from_instance=lambda value: [str(value)],
    )


_NUMBERS = ConstructorRegistry()
_NUMBERS.primitive_rule(_reading)
