"""Readers of the files of TensorBoard and of Weights & Biases, written from their formats."""

import json
import math
import struct

BLOCK = 32_768  # bytes; Weights & Biases uses the log format of LevelDB


def events(folder):
    """Returns the events in the only event file of a folder. A record is a length, two checksums and the event."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.out.tfevents.*")
    content, position, found = path.read_bytes(), 0, []
    while position < len(content):
        (length,) = struct.unpack_from("<Q", content, position)
        found.append(Event.FromString(content[position + 12 : position + 12 + length]))
        position += 12 + length + 4
    return found


def scalars(folder):
    """Returns `{curve: [(step, value), ...]}` in the order of writing."""
    curves = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return curves


def records(folder, identifier):
    """Returns the records of the only offline run with this identifier."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (folder / "wandb").glob(f"offline-run-*-{identifier}/run-{identifier}.wandb")
    content, position, part, found = path.read_bytes(), 7, b"", []
    while position + 7 <= len(content):
        left = BLOCK - position % BLOCK
        if left < 7:  # a block ends with padding if a header does not fit
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        part += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or its last part
            found.append(Record.FromString(part))
            part = b""
    return found


def history(folder, identifier):
    """Returns `{curve: [(step, value), ...]}` of an offline run, without the client's own values."""
    curves = {}
    for record in records(folder, identifier):
        items = {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for name, value in items.items():
            if not name.startswith("_"):
                curves.setdefault(name, []).append((items["_step"], value))
    return curves


def config(folder, identifier):
    """Returns the configuration of an offline run; later records overwrite earlier ones."""
    found = {}
    for record in records(folder, identifier):
        for update in (record.run.config.update, record.config.update):
            found |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in update}
    return found


def expected(curves):
    """Returns curves of a store as `{curve: [(step, value), ...]}`, without NaN values."""
    steps = curves["steps"].tolist()
    return {
        name: [(step, value) for step, value in zip(steps, values.tolist(), strict=True) if not math.isnan(value)]
        for name, values in curves.items()
        if name != "steps"
    }
