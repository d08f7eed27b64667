"""Saving a trained model as ONNX, which browsers, phones and servers run without torch or sprat.

The file takes inputs as the data stores them (pictures as uint8, say): the encodings are part of
the graph, so nobody has to write them again elsewhere. Classes and blocks stand in its metadata. It
is only kept after ONNX Runtime has given the same outputs as torch for batches of several sizes.

Format: https://onnx.ai/onnx/. Written by torch's exporter (``torch.onnx.export(dynamo=True)``),
which torch has from 2.5 on.
"""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat.data import Batch
from sprat.errors import BlockError, ExportError, SpratError
from sprat.task import Task

if TYPE_CHECKING:
    from sprat.learner import Learner

NEEDED = "pip install onnx onnxscript onnxruntime"
CHECKED_SIZES = (1, 2, 5)  # samples in the batches that both runtimes are asked for


@dataclass(frozen=True)
class OnnxFile:
    """A model that was saved as ONNX, and how it was checked.

    Args:
        path: the file.
        inputs: name → dtype and shape; the first axis, the batch, may have any length.
        outputs: likewise.
        max_difference: the largest difference between an output of torch and one of ONNX Runtime.
        size_bytes: of the file.
    """

    path: Path
    inputs: dict[str, str]
    outputs: dict[str, str]
    max_difference: float
    size_bytes: int


class _Encoded(nn.Module):
    """A model behind the task's encodings."""

    def __init__(self, model: nn.Module, task: Task | None, count: int) -> None:
        super().__init__()
        self.model, self.task, self.count = model, task, count

    def forward(self, *parts: Tensor) -> Any:
        x: Any = parts if self.count > 1 else parts[0]
        return self.model(x if self.task is None else self.task.encode(Batch(x)).x)


def save_onnx(
    model: "Learner | nn.Module",
    path: str | Path,
    *,
    example: Any = None,
    encode: bool = True,
    tolerance: float = 1e-4,
    generator: torch.Generator | None = None,
) -> OnnxFile:
    """Save a model as ONNX and check that ONNX Runtime gives the same outputs.

    Args:
        model: a learner, whose task mocks the inputs; or a plain module, with `example`.
        path: of the file, ``something.onnx``; written whole or not at all.
        example: a batch of inputs as stored, a tensor or a tuple of tensors, of at least two
            samples; by default the task's mock. Its axes other than the first are fixed in the
            file, so give one where the task leaves the size of pictures or the length of texts
            open.
        encode: put the task's encodings into the file; without, it takes encoded inputs, and the
            metadata only describes the encodings.
        tolerance: the largest difference allowed, relative to the largest output (and at least 1).
        generator: where mock inputs come from; torch's own by default.

    Returns:
        The file, its inputs and outputs, and the largest difference found.

    Raises:
        ExportError: a package is missing, the model can't be exported or the file not written, or
            the outputs differ.
    """
    ort = _runtime()
    network, task = _parts(model)
    inputs = _inputs(model, task, example, encode=encode, generator=generator)
    wrapped = _Encoded(network, task if encode else None, len(inputs))
    target = Path(path)
    with _evaluating(wrapped), _naming(network, target), _beside(target) as temporary:
        _export(wrapped, inputs, temporary)
        _annotate(temporary, _metadata(network, task, encode=encode))
        session = ort.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        largest = _compare(session, wrapped, inputs, tolerance)
        size = temporary.stat().st_size
        temporary.replace(target)
    described = [{p.name: f"{p.type} {p.shape}" for p in put} for put in _puts(session)]
    return OnnxFile(target, described[0], described[1], largest, size)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """In evaluation mode; afterwards each part in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def _naming(network: nn.Module, target: Path) -> Iterator[None]:
    """What the exporter and the runtime raise, which is whatever they meet, as one of our errors.

    Raises:
        ExportError: the model can't be exported, or the file not written.
    """
    try:
        yield
    except SpratError:
        raise
    except OSError as error:
        raise ExportError(
            f"The model can't be saved as {target}: {error}.",
            fix="choose a path in a folder that exists, can be written and has room",
        ) from None
    except Exception as error:
        raise ExportError(
            f"{type(network).__name__} can't be exported: {_first_line(error)}",
            fix="write x.shape[0] instead of len(x) in forward, avoid control flow that depends on "
            "values, and pass example= with the shapes that the model is made for",
        ) from error


def _runtime() -> Any:
    """ONNX Runtime, after a look whether all that exporting needs is there."""
    try:
        import onnx  # noqa: F401 - the exporter writes with it
        import onnxruntime  # type: ignore[import-untyped]
        import onnxscript  # noqa: F401 - the exporter builds with it
    except ImportError as error:
        raise ExportError(f"Saving as ONNX needs {error.name}.", fix=NEEDED) from None
    return onnxruntime


def _parts(model: Any) -> tuple[nn.Module, Task | None]:
    if isinstance(model, nn.Module):
        return model, None
    if isinstance(getattr(model, "model", None), nn.Module):
        return model.model, model.task
    raise ExportError(
        f"{type(model).__name__} is neither a learner nor a module.",
        fix="pass a sprat.Learner, what sprat.load gave, or an nn.Module",
    )


def _inputs(
    model: Any,
    task: Task | None,
    example: Any,
    *,
    encode: bool,
    generator: torch.Generator | None,
) -> tuple[Tensor, ...]:
    """An example of what the file takes, part by part, on the model's device.

    Raises:
        ExportError: there is neither an example nor a task, or it holds something else than
            tensors of at least two samples.
    """
    if example is None:
        if task is None:
            raise ExportError(
                "A plain module doesn't say what it takes.",
                fix="pass example=, a batch of inputs: sprat.save_onnx(model, path, example=x)",
            )
        example = task.mock_batch(2, generator=generator).x
    elif task is not None:
        try:
            task.check_input(example)
        except BlockError as error:
            raise ExportError(f"The example does not fit: {error.found}", fix=error.fix) from None
    if task is not None and not encode:
        example = task.encode(Batch(example)).x
    parts = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    odd = next((part for part in parts if not isinstance(part, Tensor) or part.ndim == 0), None)
    if odd is not None or not parts:
        raise ExportError(
            f"The input holds a {type(odd).__name__}; ONNX takes tensors only.",
            fix="export a module of your own whose forward takes tensors, with example=",
        )
    if any(len(part) < 2 for part in parts):
        # With one sample the exporter would take 1 for the only length that a batch may have.
        raise ExportError("The example has one sample.", fix="give a batch of two or more")
    network, _ = _parts(model)
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    return tuple(part.to(device) for part in parts)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A file to write first, in the same folder, of which nothing is left."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".onnx")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _export(wrapped: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
    batch = torch.export.Dim("batch", min=1)
    names = _input_names(len(inputs))
    with torch.no_grad(), _quiet():
        torch.onnx.export(
            wrapped,
            inputs,
            str(path),
            input_names=names,
            output_names=["y_hat"],
            # forward takes *parts, so the shapes stand in a tuple of one entry an input
            dynamic_shapes=(tuple({0: batch} for _ in inputs),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _input_names(count: int) -> list[str]:
    return ["x"] if count == 1 else [f"x{i}" for i in range(count)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says to its own developers; its errors still come through."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    loggers += [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.startswith(("torch.onnx.", "onnxscript.", "onnx_ir."))
    ]
    kept = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, kept, strict=True):
            logger.setLevel(level)


def _metadata(network: nn.Module, task: Task | None, *, encode: bool) -> dict[str, str]:
    """What a reader of the file should know, as plain strings."""
    from sprat import __version__
    from sprat.export import task_config

    found = {"model": type(network).__name__, "sprat": __version__, "torch": str(torch.__version__)}
    if task is not None:
        config = task_config(task)
        goal = task.encoded(task.output)
        found["task"] = json.dumps(config)
        found["preprocessing"] = json.dumps(
            {"inside_the_graph": encode, "encodings": config["encodings"]}
        )
        if classes := getattr(goal, "classes", None):
            found["classes"] = json.dumps(list(classes))
    return found


def _annotate(path: Path, metadata: dict[str, str]) -> None:
    import onnx

    model = onnx.load(str(path))
    model.producer_name = "sprat"
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _puts(session: Any) -> tuple[list[Any], list[Any]]:
    return session.get_inputs(), session.get_outputs()


def _compare(
    session: Any, wrapped: nn.Module, inputs: tuple[Tensor, ...], tolerance: float
) -> float:
    """The largest difference between both runtimes over batches of several sizes.

    Raises:
        ExportError: it is larger than the tolerance.
    """
    largest, scale = 0.0, 1.0
    taken = {put.name for put in session.get_inputs()}
    for size in CHECKED_SIZES:
        parts = [_of_size(part, size) for part in inputs]
        named = zip(_input_names(len(parts)), parts, strict=True)
        given = {name: part.cpu().numpy() for name, part in named if name in taken}
        with torch.no_grad():
            expected = wrapped(*parts)
        theirs = session.run(None, given)
        ours = list(expected) if isinstance(expected, (tuple, list)) else [expected]
        for a, b in zip(ours, theirs, strict=True):
            other = torch.from_numpy(b).double()
            mine = a.cpu().double()
            if mine.shape != other.shape:
                raise ExportError(
                    f"For a batch of {size} torch gives the shape {tuple(mine.shape)}, ONNX "
                    f"Runtime {tuple(other.shape)}.",
                    fix="make the model's shapes follow from its input, not from constants",
                )
            same = torch.where(mine == other, 0.0, (mine - other).abs())  # also for infinities
            largest = max(largest, float(same.nan_to_num(torch.inf).max()))
            scale = max(scale, float(mine.abs().max()))
    if not largest <= tolerance * scale:
        raise ExportError(
            f"Torch and ONNX Runtime differ by {largest:.3g} where {tolerance * scale:.3g} was "
            "allowed; the file was not kept.",
            fix="look for randomness or lower precision in forward, or pass a larger tolerance=",
        )
    return largest


def _of_size(part: Tensor, size: int) -> Tensor:
    """As many samples, the same ones again where there are too few."""
    return part[torch.arange(size, device=part.device) % len(part)]


def _first_line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0] if words else 'no message'}"
