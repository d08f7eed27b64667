"""Saving a trained model as weights and plain config, never pickle, so that it outlives versions.

A folder holds two files: ``weights.safetensors`` and ``config.json``. The config names the format's
number and the version of sprat that wrote it, the model's class with the arguments that built it,
and the task's blocks and encodings. Loading reads data only; it never runs code from the file.

Formats only grow: every version reads what all versions before it wrote, and a file of a newer
format says which version to install.
"""

import dataclasses
import json
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from sprat.blocks import TableRow
from sprat.data import Batch
from sprat.errors import BlockError, ExportError, TaskError
from sprat.given import check_folder
from sprat.task import Task

if TYPE_CHECKING:
    from sprat.learner import Learner

FORMAT = 2  # 1 kept the categories of tables as words
_WHERE = ("blocks", "encodings", "tabular", "text")  # where blocks and encodings are defined


@dataclasses.dataclass(frozen=True)
class Exported:
    """A loaded model, ready to predict.

    Args:
        model: the network, in evaluation mode.
        task: what it was trained for, or None where it was saved without.
    """

    model: nn.Module
    task: Task | None

    @torch.no_grad()
    def predict(self, x: Any) -> Any:
        """What the model says to a batch of inputs, not yet encoded, as a person reads it.

        Raises:
            BlockError: the inputs are not what the task's block says.
        """
        if self.task is None:
            return self.model(x)
        self.task.check_input(x)
        return self.task.decode_output(self.model(self.task.encode(Batch(x)).x))


def save(learn: "Learner", folder: str | Path) -> Path:
    """Save a learner's model and task.

    Args:
        learn: what to save. A model of `sprat.models` can be rebuilt from the config alone; for
            another one, `load` needs ``model=``.
        folder: made if missing. Both files are written whole or not at all.

    Returns:
        The folder.

    Raises:
        ExportError: the folder can't be written.
    """
    from sprat import __version__

    model, group = learn.model, learn.group
    weights = _unshared(model if group is None else group.whole(model))
    if group is not None and not group.first:
        group.wait()  # until the first process has written
        return Path(folder)
    config = {
        "format": FORMAT,
        "sprat": __version__,
        "model": {"name": _class_of(model), "arguments": getattr(model, "arguments", None)},
        "task": None if learn.task is None else task_config(learn.task),
    }
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        text = json.dumps(config, indent=1)
        _whole(target / "weights.safetensors", lambda path: save_file(weights, path))
        _whole(target / "config.json", lambda path: Path(path).write_text(text))
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"The model can't be saved in {target}: {error}.",
            fix="choose a folder that can be written and has room",
        ) from None
    except TypeError as error:
        raise ExportError(
            f"The model or the task was built with something that is no plain value: {error}.",
            fix="build it from numbers, words and lists of them",
        ) from None
    finally:
        if group is not None:
            group.wait()
    return target


def _class_of(model: nn.Module) -> str:
    """The name of the model's class; FSDP puts one of its own, which starts so, over it."""
    kinds = [kind for kind in type(model).__mro__ if not kind.__name__.startswith("FSDP")]
    return kinds[0].__name__


def _unshared(model: nn.Module | dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights on the CPU, each with memory of its own; tied weights are written twice."""
    seen: set[int] = set()
    weights = {}
    named = model if isinstance(model, dict) else model.state_dict()
    for name, value in named.items():
        tensor = value.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        weights[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return weights


def load(
    folder: str | Path, *, model: nn.Module | None = None, task: Task | None = None
) -> Exported:
    """Load what `save` saved.

    Args:
        folder: where it is.
        model: a network of the same shape, for classes that sprat doesn't know.
        task: what it was trained for, where its blocks or encodings are your own.

    Raises:
        ExportError: files are missing or damaged, of a newer format, or don't fit the model.
    """
    source = check_folder(folder, call="sprat.load")
    try:
        config = json.loads((source / "config.json").read_text())
        weights = load_file(source / "weights.safetensors")
    except FileNotFoundError as error:
        raise ExportError(
            f"{error.filename} is missing.", fix="name the folder that learn.export(...) made"
        ) from None
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ExportError(
            f"The files in {source} are damaged: {error}.", fix="export the model again"
        ) from None
    found = config.get("format") if isinstance(config, dict) else None
    if type(found) is not int or not 1 <= found <= FORMAT:
        raise _unreadable(source, config, found)
    try:
        network = model if model is not None else _build(config["model"])
        goal = task if task is not None else _task(config["task"])
    except (KeyError, TypeError, AttributeError, BlockError, TaskError) as error:
        raise ExportError(
            f"{source / 'config.json'} is not as sprat writes it: {error!r}.",
            fix="export the model again, or pass model= and task= to sprat.load",
        ) from None
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ExportError(
            f"The weights don't fit {type(network).__name__}: "
            f"{str(error).splitlines()[-1].strip()}",
            fix="build the model with the arguments in config.json",
        ) from None
    return Exported(network.eval(), goal)


def _unreadable(source: Path, config: Any, found: Any) -> ExportError:
    """The error for a format that this version does not know."""
    from sprat import __version__

    writer = config.get("sprat") if isinstance(config, dict) else None
    by = f", written by sprat {writer}" if isinstance(writer, str) else ""
    newer = type(found) is int and found > FORMAT
    wanted = f'"sprat>={writer}"' if by else "-U sprat"
    return ExportError(
        f"{source} has format {found!r}{by}; this version reads formats 1 to {FORMAT} "
        f"(sprat {__version__}).",
        fix=f"pip install {wanted}" if newer else "name the folder that learn.export(...) made",
    )


def _build(config: dict[str, Any]) -> nn.Module:
    from sprat import models

    if config["name"] not in models.__all__ or config["arguments"] is None:
        raise ExportError(
            f"sprat has no model {config['name']!r} to rebuild.",
            fix="build it yourself and pass it: sprat.load(folder, model=...)",
        )
    # Only this one is imported: what a chapter imports is what makes it run again.
    kind: type[nn.Module] = getattr(models, config["name"])
    return kind(**config["arguments"])


def task_config(task: Task) -> dict[str, Any]:
    """A task's blocks and encodings as plain values, ready for JSON."""
    return {
        role: None if block is None else _spec(block)
        for role, block in (("input", task.input), ("target", task.target), ("output", task.output))
    } | {"encodings": [_spec(encoding) for encoding in task.encodings]}


def _spec(part: Any) -> dict[str, Any]:
    fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    return {"type": type(part).__name__} | {f.name: _plain(getattr(part, f.name)) for f in fields}


def _plain(value: Any) -> Any:
    """A field as JSON has it; a block or an encoding inside of another becomes a config too."""
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return _spec(value) if dataclasses.is_dataclass(value) else value


def _task(config: dict[str, Any] | None) -> Task | None:
    if config is None:
        return None
    parts: dict[str, Any] = {
        role: None if config[role] is None else _part(config[role])
        for role in ("input", "target", "output")
    }
    return Task(**parts, encodings=tuple(_part(spec) for spec in config["encodings"]))


def _part(spec: dict[str, Any]) -> Any:
    """A block or an encoding from its config: only these modules' classes, only plain arguments."""
    kind = next((k for k in (_kind(m, spec["type"]) for m in _WHERE) if k is not None), None)
    if kind is None:
        raise ExportError(
            f"The config names the unknown type {spec['type']!r}.",
            fix="make the task yourself and pass it: sprat.load(folder, task=...)",
        )
    if kind is TableRow:  # format 1 kept categories as the words for them
        spec = {"as_text": True} | spec
    return kind(**{name: _read(value) for name, value in spec.items() if name != "type"})


def _kind(module: str, name: Any) -> type[Any] | None:
    """A class for data of one of sprat's modules; imported only if those before lack it."""
    kind = getattr(import_module(f"sprat.{module}"), str(name), None)
    right = isinstance(kind, type) and dataclasses.is_dataclass(kind)
    return kind if right else None


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(each) for each in value)
    return _part(value) if isinstance(value, dict) and "type" in value else value


def _whole(path: Path, write: Any) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(temporary)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
