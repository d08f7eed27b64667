"""What only looks leaves mode, place and random numbers as they were."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp

LOOKS: dict[str, Callable[[sp.Learner], Any]] = {
    "evaluate": lambda learn: learn.evaluate(),
    "show_results": lambda learn: learn.show_results(2),
    "predictions": lambda learn: learn.predictions(),
    "predict": lambda learn: learn.predict(torch.zeros(2, 1, 9, 9, dtype=torch.uint8)),
    "shuffled": lambda learn: learn.evaluate(shuffled()),
}


def shuffled() -> DataLoader:
    x = torch.zeros(20, 1, 9, 9, dtype=torch.uint8)
    return DataLoader(TensorDataset(x, torch.arange(20) % 3), batch_size=5, shuffle=True)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("trained", [False, True])
def test_a_look_changes_nothing(learn: sp.Learner, look: str, trained: bool) -> None:
    if trained:
        learn.fit(1)
    learn.model.train()
    frozen = next(iter(learn.model.children())).eval()
    names = ("phase", "step", "batch", "state", "epoch")
    before = {name: getattr(learn, name, None) for name in names}
    drawn, own = torch.get_rng_state(), learn.generator.get_state()
    LOOKS[look](learn)
    for name, value in before.items():
        assert getattr(learn, name, None) is value
    assert torch.equal(drawn, torch.get_rng_state())
    assert torch.equal(own, learn.generator.get_state())
    assert learn.model.training
    assert not frozen.training
    assert torch.is_grad_enabled()


def test_a_look_in_the_middle_of_a_fit_changes_no_training(pictures: sp.Data, task: Any) -> None:
    class Looks(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            if learn.phase.trains:
                learn.evaluate(shuffled())

    def losses(*callbacks: sp.Callback) -> list[float]:
        torch.manual_seed(1)
        model = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(81, 8), torch.nn.Dropout(), torch.nn.Linear(8, 3)
        )
        learn = sp.Learner(task, (pictures, pictures), model=model, batch_size=32, device="cpu")
        return learn.fit(2, callbacks=callbacks).losses

    assert losses(Looks()) == losses()
