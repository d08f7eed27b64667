"""A generative adversarial network: two players, two optimisers, one phase.

Goodfellow et al., "Generative Adversarial Networks" (2014), with the generator's loss that does not
vanish (section 3): it raises log D(G(z)) instead of lowering log(1 − D(G(z))).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.data import Batch
from sprat.errors import TaskError
from sprat.phases import TrainPhase
from sprat.phases.parts import part

if TYPE_CHECKING:
    from sprat.learner import Learner, State

FIX = 'pass model=nn.ModuleDict({"generator": …, "discriminator": …})'


class GANPhase(TrainPhase):
    """Teach a discriminator to tell real from made, then a generator to fool it.

    The model has a ``generator``, noise (B, num_latents) to samples, and a ``discriminator``,
    samples to logits (B,) or (B, 1), high for real ones; the learner has an optimiser of the same
    name for each. Batches are real samples; targets are not looked at.

    Args:
        num_latents: numbers in the noise that a sample is made of.
        real_label: what the discriminator is taught to say to real samples, 0…1. A little below 1
            keeps it from growing sure; Salimans et al., "Improved Techniques" (2016), 3.4.
        generator: where the noise comes from, on the learner's device; torch's own by default.
    """

    def __init__(
        self,
        num_latents: int,
        *,
        real_label: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.num_latents, self.real_label = num_latents, real_label
        self.generator = generator

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """One move of each player. Outside of training, both losses are only measured."""
        make, judge = (part(learn, name, fix=FIX) for name in ("generator", "discriminator"))
        self._check(learn)
        noise = torch.randn(
            (len(batch), self.num_latents), generator=self.generator, device=learn.device
        )
        made = make(noise)

        real_logits, made_logits = judge(batch.x), judge(made.detach())
        judging = _says(real_logits, self.real_label) + _says(made_logits, 0.0)
        learn.update(loss=judging, optimizer="discriminator")

        fooling = _says(judge(made), 1.0)
        learn.update(loss=fooling, optimizer="generator")
        right = ((real_logits > 0).float().mean() + (made_logits <= 0).float().mean()) / 2
        return {
            "loss": (judging + fooling).detach(),
            "generator_loss": fooling.detach(),
            "discriminator_loss": judging.detach(),
            "told_apart": right,  # 0.5 when the discriminator can only guess
            "y_hat": made.detach(),
        }

    def _check(self, learn: "Learner") -> None:
        missing = {"generator", "discriminator"} - set(learn.optimizers)
        if missing and learn.phase.trains:
            raise TaskError(
                f"GANPhase needs two optimisers; there is no {' and no '.join(sorted(missing))}.",
                fix='pass optimizer={"generator": Adam(generator.parameters(), lr=2e-4), '
                '"discriminator": Adam(discriminator.parameters(), lr=2e-4)}',
            )


def _says(logits: Tensor, label: float) -> Tensor:
    """How far the discriminator is from saying `label` to all of them."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
