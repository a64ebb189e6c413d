"""Options that name a part of the user: `--network my_networks:Wide`, for any field that holds a part."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxdqn import config_fields, own_parts
from jaxdqn.config import Config
from jaxdqn.user_modules import is_part


class Taken(NamedTuple):
    """Arguments without the options that name a part of the user.

    Attributes:
      config: the configuration with these parts as fields of its own, so that their fields become options.
      inner: other parts by dotted path, such as `network.torso`. They replace what the arguments choose there.
      arguments: the other arguments.
    """

    config: Config
    inner: dict[str, Any]
    arguments: list[str]


def take(config: Config, arguments: Sequence[str]) -> Taken:
    """Takes the parts of the user out of the arguments.

    Raises:
      ValueError: a part does not exist, or is no configuration.
    """
    kinds = {path: field.metadata["kind"] for path, field in config_fields.fields(config).items()}
    left, inner = list[str](), dict[str, Any]()
    words = iter(arguments)
    for word in words:
        option, sign, value = word.partition("=")
        path = option.removeprefix("--").replace("-", "_")
        if not option.startswith("--") or kinds.get(path) != "part":
            left.append(word)
            continue
        value = value if sign else next(words, "")
        if not is_part(value):
            raise ValueError(
                f"{option} {value} must name a part of your own, such as my_module:MyClass; parts of jaxdqn are chosen "
                f"with words such as optimizer:rms-prop, which `--help` lists."
            )
        if "." in path:
            inner[path] = own_parts.named(value)
        else:
            config = config_fields.replace_at(config, path, own_parts.named(value))
    return Taken(config, inner, left)
