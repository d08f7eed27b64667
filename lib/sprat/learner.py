"""The learner: a model, data, a loss and the loop that brings them together.

The whole loop is `Learner.fit`, `Learner.run` and `Learner.update`, which fit on one screen. What
happens to a batch stands in a phase (``phases``), what happens besides in callbacks
(``callbacks.py``). A plain `torch.nn.Module`, two plain loaders and a loss are enough.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from sprat import fitting, inference, lr_find
from sprat.callbacks import Callback, Cancel, Recorder, ending, in_order, listeners, span
from sprat.data import Batch, Encoded
from sprat.device import choose_device, choose_precision
from sprat.errors import DataError, TaskError
from sprat.history import History
from sprat.live import Progress
from sprat.loader import make_loaders
from sprat.metrics import Mean, Metric
from sprat.phases import Phase, TrainPhase, ValidPhase
from sprat.sanity import check_data, check_first_step, check_parts, check_plan
from sprat.task import Task

State = dict[str, Any]


class Learner:
    """Everything that training needs, and what came of it.

    Args:
        task: what to learn; or an `nn.Module`, for plain torch all the way (then pass `loss`).
        data: ``(train, valid)``, each a `Data` or any iterable of batches that has a length;
            or one of these alone, to train without validation.
        model: the network, where `task` is a `Task`.
        loss: ``(y_hat, y)`` to a tensor with no axes; by default the task's.
        metrics: functions of ``(y_hat, y)`` or `Metric` objects; by default the task's.
        optimizer: ``(parameters, lr=)`` to a `torch.optim.Optimizer`; or a dict of names to
            optimisers, already made, for phases that use several.
        lr: the learning rate a step, where a fit names none.
        batch_size: samples in a batch of a `Data`; loaders keep their own.
        phases: what an epoch consists of; by default `TrainPhase` and, with validation data,
            `ValidPhase`.
        callbacks: used in every fit.
        device: ``"auto"`` is CUDA, then MPS, then CPU.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``: what matrix products are computed in.
        generator: where the order of batches comes from, on the CPU; torch's own by default.
        progress: show a bar and a table while training.

    Raises:
        TaskError: model, loss or data are missing or don't fit.
        BlockError: the data is not what the task's blocks say.
        CallbackError: two callbacks contradict each other.
    """

    def __init__(
        self,
        task: Task | nn.Module,
        data: Any,
        *,
        model: nn.Module | None = None,
        loss: Callable[..., Tensor] | None = None,
        metrics: Sequence[Any] | None = None,
        optimizer: Callable[..., torch.optim.Optimizer]
        | Mapping[str, torch.optim.Optimizer] = torch.optim.AdamW,
        lr: float = 1e-3,
        batch_size: int = 64,
        phases: Sequence[Phase] | None = None,
        callbacks: Sequence[Callback] = (),
        device: torch.device | str = "auto",
        precision: str = "fp32",
        generator: torch.Generator | None = None,
        progress: bool = True,
    ) -> None:
        self.task: Task | None = task if isinstance(task, Task) else None
        module = model if isinstance(task, Task) else task
        if not isinstance(module, nn.Module):
            raise TaskError(
                f"The model is {module!r}; an nn.Module was expected.",
                fix="pass model=, for example sprat.models.LeNet(task.in_channels, "
                "task.num_outputs)",
            )
        check_parts(phases, metrics, optimizer)
        self.device = choose_device(device)
        self.model = module.to(self.device)
        self.precision = choose_precision(precision, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self._loss = loss or (self.task.loss if self.task else None)
        chosen = metrics if metrics is not None else self.task.metrics if self.task else None
        self.metrics: list[Metric] = [
            m if isinstance(m, Metric) else Mean(m) for m in (chosen or ())
        ]
        self.generator = generator
        self.loaders = make_loaders(data, batch_size, device=self.device, generator=generator)
        default = (TrainPhase(), ValidPhase()) if "valid" in self.loaders else (TrainPhase(),)
        self.phases: tuple[Phase, ...] = tuple(phases) if phases is not None else default
        self._make_optimizer, self.base_lr = optimizer, lr
        self.optimizers: dict[str, torch.optim.Optimizer] = (
            dict(optimizer) if isinstance(optimizer, Mapping) else {}
        )
        self.callbacks = list(callbacks)
        self.progress = progress
        self.history = History()
        self.epoch, self.epochs = 0, 0
        self.batch = Batch(None)
        self.state: State = {}
        self._listeners: dict[str, list[Callable[[Learner], None]]] = {}
        in_order([*self.callbacks, Recorder()])  # a contradiction shows here, not after an hour
        check_data(self)

    def fit(
        self, epochs: int, *, lr: float | None = None, callbacks: Sequence[Callback] = ()
    ) -> History:
        """Go through all phases `epochs` times, at one learning rate.

        Args:
            epochs: how many times.
            lr: the learning rate a step; by default the learner's. With a `Schedule` among the
                callbacks it is where the schedule does not say otherwise.
            callbacks: used in this fit only.

        Returns:
            The history, which has grown by `epochs` rows.

        Raises:
            TrainingError: `epochs` or `lr` is no such number, the first step cannot work, or the
                loss is no longer finite.
        """
        check_plan(epochs, lr)
        self.prepare(lr)
        check_first_step(self)
        chosen = [*self.callbacks, *callbacks, Recorder(), *([Progress()] if self.progress else [])]
        with self.listening(chosen), ending("fit"):
            self.epochs = epochs
            self.emit("fit_begin")
            try:
                for self.epoch in range(epochs):
                    with ending("epoch"), span(self, "epoch"):
                        for phase in self.phases:
                            self.run(phase)
            finally:
                self.emit("fit_end")
        return self.history

    def run(self, phase: Phase) -> None:
        """One pass of one phase over its part of the data."""
        self.phase = phase
        self.model.train(phase.trains)
        with (
            ending("phase"),
            span(self, "phase"),
            torch.set_grad_enabled(phase.trains),
            self.autocast(),
        ):
            for raw in self.loader(phase.split):
                self.batch = self.encode(raw)
                try:
                    self.emit("step_begin")
                    self.state = phase.step(self, self.batch)
                    self.emit("step_end")
                except Cancel as cancel:
                    if cancel.what != "step":
                        raise

    def update(self, *, loss: Tensor, optimizer: str = "main", **named: Any) -> State:
        """Take note of a step; in a phase that trains, also move the weights down `loss`.

        Args:
            loss: a tensor with no axes.
            optimizer: which of the learner's optimisers moves its weights.
            **named: whatever callbacks, metrics and displays should find: ``y_hat`` is what the
                model put out; tensors with no axes are averaged into the history.

        Returns:
            The named values, the loss among them.
        """
        if self.phase.trains:
            chosen = self.optimizers[optimizer]
            chosen.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            if "backward_end" in self._listeners:
                self.scaler.unscale_(chosen)
                self.emit("backward_end")
            self.scaler.step(chosen)
            self.scaler.update()
        return {"loss": loss.detach(), **named}

    # What else a learner does, each a function of its file with the learner as first argument.
    fit_one_cycle = fitting.fit_one_cycle
    lr_find = lr_find.lr_find
    predict = inference.predict
    predictions = inference.predictions
    evaluate = inference.evaluate
    show_batch = inference.show_batch
    show_results = inference.show_results
    export = inference.export

    def require_task(self) -> Task:
        """The task.

        Raises:
            TaskError: the learner was made from a plain module.
        """
        if self.task is None:
            raise TaskError(
                "This learner was made from a plain module, so nobody said what its values are.",
                fix="make it from a Task, which knows how to show them",
            )
        return self.task

    def loss(self, y_hat: Any, y: Any) -> Tensor:
        """The loss of a batch.

        Raises:
            TaskError: the learner was given none.
        """
        if self._loss is None:
            raise TaskError(
                "There is no loss.",
                fix="pass loss= to Learner, or a phase whose step computes its own",
            )
        return self._loss(y_hat, y)

    def encode(self, raw: Any) -> Batch:
        """A batch on the learner's device, as the model sees it."""
        batch = Batch.of(raw).to(self.device)
        if isinstance(raw, Encoded):
            return batch
        return self.task.encode(batch) if self.task else batch

    def loader(self, split: str) -> Any:
        """The loader of one part of the data.

        Raises:
            DataError: the learner has no such part.
        """
        if split not in self.loaders:
            raise DataError(
                f"The learner has no {split!r} data, only {', '.join(self.loaders)}.",
                fix="pass data=(train, valid)",
            )
        return self.loaders[split]

    @property
    def steps_per_epoch(self) -> int:
        """Training steps in one epoch, over all phases that train."""
        return sum(len(self.loader(phase.split)) for phase in self.phases if phase.trains)

    @property
    def lr(self) -> float:
        """The learning rate a step, of the first optimiser's first group."""
        for optimizer in self.optimizers.values():
            return float(optimizer.param_groups[0]["lr"])
        return self.base_lr

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of every optimiser."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = lr

    def emit(self, event: str) -> None:
        """Call every callback that overrides this event."""
        for listener in self._listeners.get(event, ()):
            listener(self)

    def prepare(self, lr: float | None) -> None:
        """Make the optimiser at the first fit, and set the learning rate."""
        if not self.optimizers:
            parameters = [p for p in self.model.parameters() if p.requires_grad]
            if not parameters:
                raise TaskError(
                    "The model has no weights to train.",
                    fix="unfreeze some: p.requires_grad_(True)",
                )
            assert not isinstance(self._make_optimizer, Mapping)
            self.optimizers["main"] = self._make_optimizer(parameters, lr=self.base_lr)
        if lr is not None:
            self.set_lr(lr)

    @contextmanager
    def listening(self, callbacks: Iterable[Callback]) -> Iterator[None]:
        """Only callbacks that override an event are called for it, so the others cost nothing."""
        kept, self._listeners = self._listeners, listeners(callbacks)
        try:
            yield
        finally:
            self._listeners = kept

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the learner's precision, inside ``with``."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.precision)
