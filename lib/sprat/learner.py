"""The learner: a model, data, a loss and the loop that brings them together.

The whole loop is `Learner.fit`, `Learner.run` and `Learner.update`, which fit on one screen. What
happens to a batch stands in a phase (``phases``), what happens besides in callbacks
(``callbacks.py``). A plain `torch.nn.Module`, two plain loaders and a loss are enough.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat import access, dry_run, fitting, inference, lr_find, optim, sanity
from sprat.callbacks import Callback, Cancel, ending, in_order, listeners, ready, span
from sprat.data import Batch, Encoded
from sprat.device import choose_precision, meet, place
from sprat.errors import DataError, TaskError, TrainingError
from sprat.history import History
from sprat.live import Progress
from sprat.loader import make_loaders
from sprat.measures import Metric, metrics_of
from sprat.phases import Phase, TrainPhase, ValidPhase
from sprat.recorder import Recorder
from sprat.task import Task
from sprat.weighing import Weighed

if TYPE_CHECKING:
    from sprat.resumed import Resumed

State = dict[str, Any]
LR = float | tuple[float, float]  # a learning rate a step; two of them: of the first part, the last


class Learner:
    """Everything that training needs, and what came of it.

    Args:
        task: what to learn; or an `nn.Module`, for plain torch all the way (then pass `loss`).
        data: ``(train, valid)``, each a `Data` or any iterable of batches that has a length;
            or one of these alone, to train without validation.
        model: the network, where `task` is a `Task`.
        loss: ``(y_hat, y)`` to a tensor with no axes; by default the task's.
        metrics: functions of ``(y_hat, y)`` or `Metric` objects; by default the task's. A function
            of your own gets all samples at once; see `sprat.metrics`.
        optimizer: ``(parameters, lr=)`` to a `torch.optim.Optimizer`; or a dict of names to
            optimisers, already made, for phases that use several.
        lr: the rate a step, where a fit names none; by default 1e-3, or that of optimisers given.
        batch_size: samples in a batch of a `Data`; loaders keep their own.
        phases: what an epoch consists of; by default `TrainPhase` and, with validation data,
            `ValidPhase`.
        callbacks: used in every fit.
        device: ``"auto"`` is CUDA, then MPS, then CPU.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``: what matrix products are computed in.
        compile: let torch.compile turn the model's forward into fast code at the first step, which
            takes a while; a name chooses one of torch's backends.
        channels_last: keep pictures and kernels with the channels innermost, which convolutions on
            newer GPUs and CPUs are made for.
        distributed: ``"ddp"`` or ``"fsdp"`` shares the work among the processes that torchrun has
            started; see `sprat.distributed`.
        generator: where the order of batches comes from, on the CPU; torch's own by default.
        progress: show a bar and a table while training.
        check_access: refuse callbacks and phases that write what they don't declare; it costs time,
            see `sprat.access`.

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
        lr: float | None = None,
        batch_size: int = 64,
        phases: Sequence[Phase] | None = None,
        callbacks: Sequence[Callback] = (),
        device: torch.device | str = "auto",
        precision: str = "fp32",
        compile: bool | str = False,
        channels_last: bool = False,
        distributed: str | None = None,
        generator: torch.Generator | None = None,
        progress: bool = True,
        check_access: bool = False,
    ) -> None:
        self.task: Task | None = task if isinstance(task, Task) else None
        module = model if isinstance(task, Task) else task
        module = sanity.check_given(task, module, loss, lr, generator)
        sanity.check_parts(phases, metrics, optimizer)
        self.group, self.device = meet(distributed, device, optimizer)
        self.model = place(module, self.device, channels_last=channels_last, compile=compile)
        self.channels_last = channels_last
        self.precision = choose_precision(precision, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self._loss = loss or (self.task.loss if self.task else None)
        if isinstance(self._loss, nn.Module):
            self._loss.to(self.device)  # weights of classes, or those that it learns itself
        self.weighed = Weighed(self._loss, checked=self.task is not None and sanity.all_data(data))
        chosen = metrics if metrics is not None else self.task.metrics if self.task else None
        self.metrics: list[Metric] = metrics_of(chosen or ())
        self.generator = generator
        self.loaders = make_loaders(data, batch_size, device=self.device, generator=generator)
        if self.group is not None:
            self.group.take_in(self)
        default = (TrainPhase(), ValidPhase()) if "valid" in self.loaders else (TrainPhase(),)
        self.phases: tuple[Phase, ...] = tuple(phases) if phases is not None else default
        self.make_optimizer, self.optimizers = optim.given(optimizer, self.model)
        self.base_lr = optim.rate(self.optimizers) if lr is None else lr
        self.callbacks = ready(callbacks)
        self.progress = progress and (self.group is None or self.group.first)
        self.history = History()
        self.epoch, self.epochs, self.step = 0, 0, 0
        self.batch, self.state = Batch(None), State()
        self.descend: optim.Descend = optim.descend
        self.cleared = False  # whether no weight has a gradient, so that none need be dropped
        self.moves = 0  # how often an optimiser has moved its weights
        self.part = 0  # which fit of several it is, where one method makes several
        self.resumed: Resumed | None = None
        self.check_access = check_access
        self.watch: access.Watch | None = None
        self.heard: list[Callback] = []
        self._listeners: dict[str, list[Callable[[Learner], None]]] = {}
        in_order([*self.callbacks, Recorder()])  # a contradiction shows here, not after an hour
        sanity.check_data(self)

    def fit(
        self,
        epochs: int | None = None,
        lr: LR | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        check_access: bool = False,
    ) -> History:
        """Go through all phases `epochs` times, at one learning rate.

        Args:
            epochs: how many times.
            lr: the learning rate a step; by default the learner's. Two of them, ``(low, high)``,
                are that of the model's first part and that of its last; see `sprat.optim`. With a
                `Schedule` among the callbacks it is where the schedule does not say otherwise.
            callbacks: used in this fit only.
            check_access: as for the learner, in this fit.

        Returns:
            The history, which has grown by `epochs` rows.

        Raises:
            TrainingError: `epochs` or `lr` is no such number, the first step cannot work, or the
                loss is no longer finite.
        """
        epochs = sanity.check_plan(epochs, lr := self.base_lr if lr is None else lr)
        given = ready(callbacks)
        self.prepare(lr)
        sanity.check_first_step(self)
        # The recorder first: whoever says nothing of the history finds its row there all the same.
        chosen = [Recorder(), *self.callbacks, *given, *([Progress()] if self.progress else [])]
        with access.watching(self, check_access), self.listening(chosen), ending("fit"):
            self.epochs = epochs
            self.emit("fit_begin")
            try:
                for epoch, phases in self.plan():
                    self.epoch = epoch
                    with ending("epoch"), span(self, "epoch"):
                        for phase in phases:
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
            if phase.trains and self.optimizers:
                optim.keep_up(self)  # a callback may have changed the model
            act = phase.step if self.watch is None else self.watch.step(phase)
            for step, raw in self.batches(phase):
                self.step, self.batch = step, self.encode(raw)
                try:
                    self.emit("step_begin")
                    optim.make_room(self)
                    self.state = act(self, self.batch)
                    self.emit("step_end")
                except Cancel as cancel:
                    if cancel.what != "step":
                        raise
                except sanity.MISTAKES as error:
                    sanity.explain_step(self, error)
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

        Raises:
            TrainingError: the loss is no tensor without axes, or no weight has a part in it; or
                there is no such optimiser.
        """
        try:
            if self.phase.trains:
                shared = loss if self.group is None else self.group.weighted(self, loss)
                self.descend(self, shared, self.optimizers[optimizer])
            return {"loss": loss.detach(), **named}
        except sanity.MISTAKES:
            sanity.explain_update(self, loss, optimizer)
            raise

    # What else a learner does, each a function of its file with the learner as first argument.
    fit_one_cycle = fitting.fit_one_cycle
    fit_flat_cos = fitting.fit_flat_cos
    fine_tune = fitting.fine_tune
    freeze = fitting.freeze
    unfreeze = fitting.unfreeze
    resume = fitting.resume
    prepare = optim.prepare
    lr_find = lr_find.lr_find
    dry_run = dry_run.dry_run
    predict = access.only_looks(inference.predict)
    predictions = access.only_looks(inference.predictions)
    evaluate = access.only_looks(inference.evaluate)
    show_batch = access.only_looks(inference.show_batch)
    show_results = access.only_looks(inference.show_results)
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
            TrainingError: it can't compare these outputs with these targets.
        """
        if self._loss is None:
            raise TaskError(
                "There is no loss.",
                fix="pass loss= to Learner, or a phase whose step computes its own",
            )
        try:
            return self.weighed(y_hat, y)
        except sanity.MISTAKES as error:
            sanity.explain_loss(self, y_hat, y, error)
            raise

    def encode(self, raw: Any) -> Batch:
        """A batch on the learner's device, as the model sees it."""
        batch = Batch.of(raw).to(self.device)
        if isinstance(raw, Encoded):
            return batch
        if self.task:
            batch = self.task.encode(batch).to(self.device)  # texts become tensors on the CPU
        if self.channels_last and isinstance(batch.x, Tensor) and batch.x.ndim == 4:
            x = batch.x.contiguous(memory_format=torch.channels_last)
            batch = replace(batch, x=x)
        return batch

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
    def loss_function(self) -> Any:
        """What `loss` calls: what was given as ``loss=``, or the task's; or None."""
        return self._loss

    @property
    def steps_per_epoch(self) -> int:
        """Training steps in one epoch, over all phases that train."""
        return sum(len(self.loader(phase.split)) for phase in self.phases if phase.trains)

    @property
    def lr(self) -> float:
        """The learning rate a step, of the first optimiser's last group."""
        for optimizer in self.optimizers.values():
            return float(optimizer.param_groups[-1]["lr"])
        return self.base_lr

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of every optimiser till the next fit; groups keep their ratio.

        Raises:
            TrainingError: there is no optimiser yet: the first fit makes it.
        """
        if not self.optimizers:
            raise TrainingError(
                "There is no optimiser yet whose learning rate could be set; the first fit makes "
                "one.",
                fix=f"give the fit its rate: learn.fit(1, lr={lr!r}); or Learner(..., lr={lr!r})",
            )
        optim.set_lr(self.optimizers.values(), lr)

    def emit(self, event: str) -> None:
        """Call every callback that overrides this event; if one cancels, once all have heard it."""
        cancelled = None
        for listener in self._listeners.get(event, ()):
            try:
                listener(self)
            except Cancel as cancel:
                cancelled = cancel if cancelled is None else cancelled.wider(cancel)
        if cancelled is not None:
            raise cancelled

    def hears(self, event: str) -> bool:
        """Whether any callback overrides this event."""
        return event in self._listeners

    def plan(self) -> Iterable[tuple[int, tuple[Phase, ...]]]:
        """The epochs of this fit with their phases: all, or those left where it was resumed."""
        if self.resumed is not None:
            return self.resumed.plan(self)
        return ((epoch, self.phases) for epoch in range(self.epochs))

    def batches(self, phase: Phase) -> Iterable[tuple[int, Any]]:
        """The batches of a phase, counted from 0: all, or those left where it was resumed."""
        if self.resumed is not None and self.resumed.active:
            return self.resumed.batches(self, phase)
        return enumerate(self.loader(phase.split))

    @contextmanager
    def listening(self, callbacks: Iterable[Callback]) -> Iterator[None]:
        """Only callbacks that override an event are called for it, so the others cost nothing."""
        kept = self._listeners, self.heard
        self.heard = in_order(callbacks)
        self._listeners = listeners(self.heard)
        if self.watch is not None:
            self._listeners = self.watch.listeners(self._listeners)
        try:
            yield
        finally:
            self._listeners, self.heard = kept

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the learner's precision, inside ``with``."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.precision)
