"""Training of a diffusion model: name the noise in a noisy picture.

Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models" (2020), algorithm 1. The schedule of
noise and the samplers are in ``sprat.diffusion``.
"""

from typing import TYPE_CHECKING

import torch

from sprat.data import Batch
from sprat.diffusion import NoiseSchedule
from sprat.phases import TrainPhase

if TYPE_CHECKING:
    from sprat.learner import Learner, State


class DiffusionPhase(TrainPhase):
    """Draw a time and noise for each sample; the model sees their mixture and names the noise.

    The model is called as ``model(x_t, t)``, t int64 (B,) from 0; it puts out what has the shape of
    x_t. A model that names nothing, all zeros, has a loss of 1.

    Args:
        schedule: how much noise there is at each time.
        generator: where times and noise come from, on the learner's device; torch's own by default.
    """

    def __init__(
        self, schedule: NoiseSchedule | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        self.schedule, self.generator = schedule or NoiseSchedule.cosine(), generator

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """One step on one time a sample."""
        self.schedule = self.schedule.to(learn.device)
        t = torch.randint(
            len(self.schedule), (len(batch),), generator=self.generator, device=learn.device
        )
        noise = torch.empty_like(batch.x).normal_(generator=self.generator)
        noise_hat = learn.model(self.schedule.add_noise(batch.x, noise, t), t)
        loss = (noise_hat - noise).square().mean()
        return learn.update(loss=loss, noise_hat=noise_hat, noise=noise, t=t)
