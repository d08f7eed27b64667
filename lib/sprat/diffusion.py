"""Diffusion: how noise is added to a sample step by step, and how a model takes it away again.

At time t a sample is ``x_t = sqrt(ā_t) · x_0 + sqrt(1 − ā_t) · noise``. ā falls from nearly 1 at
t = 0 to nearly 0 at the last time. A model that names the noise in x_t (`sprat.DiffusionPhase`
trains one) leads back from pure noise to a sample, either by many small random steps (DDPM) or by
few exact ones (DDIM).

Sources: Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models" (2020); Nichol and
Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021), section 3.2, for the cosine;
Song, Meng and Ermon, "Denoising Diffusion Implicit Models" (2021), equations 12 and 16.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sprat.errors import TrainingError
from sprat.shapes import Float, Int

NameNoise = Callable[[Tensor, Tensor], Tensor]
"""``model(x_t, t)``: noisy samples and their times, int64 (B,), to the noise in them."""


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """How much of the sample is left at each time.

    Args:
        alpha_bar: ā of each time, falling, between 0 and 1.

    Raises:
        TrainingError: it does not fall from below 1 to above 0.
    """

    alpha_bar: Float[Tensor, " times"]

    def __post_init__(self) -> None:
        if self.alpha_bar.device.type == "cpu":  # on a GPU it has been looked at before
            edges = torch.cat([torch.ones(1), self.alpha_bar.float(), torch.zeros(1)])
            if len(edges) < 4 or not bool((edges[1:] < edges[:-1]).all()):
                raise TrainingError(
                    "A noise schedule falls from below 1 to above 0, over two times or more.",
                    fix="use NoiseSchedule.linear() or NoiseSchedule.cosine()",
                )

    @classmethod
    def linear(
        cls, times: int = 1000, *, first: float = 1e-4, last: float = 0.02
    ) -> "NoiseSchedule":
        """β rises linearly, ā is the product of 1 − β; Ho et al. (2020), section 4.

        Args:
            times: how many.
            first: β at the first time, for 1,000 times; for fewer it is larger in proportion.
            last: β at the last time, likewise.
        """
        scale = 1000 / times
        beta = torch.linspace(first * scale, last * scale, times, dtype=torch.float64).clamp(
            max=0.999
        )
        return cls((1 - beta).cumprod(0).float())

    @classmethod
    def cosine(cls, times: int = 1000) -> "NoiseSchedule":
        """ā falls as a squared cosine, gently at both ends; Nichol and Dhariwal (2021), 3.2.

        Args:
            times: how many.
        """
        t = torch.linspace(0, 1, times + 1, dtype=torch.float64)
        curve = ((t + 0.008) / 1.008 * math.pi / 2).cos().square()
        beta = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
        return cls((1 - beta).cumprod(0).float())

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def to(self, device: torch.device | str) -> "NoiseSchedule":
        """The same schedule on another device; itself where it is there already."""
        if self.alpha_bar.device == torch.empty(0, device=device).device:
            return self
        return NoiseSchedule(self.alpha_bar.to(device))

    def add_noise(
        self,
        x: Float[Tensor, "batch *shape"],
        noise: Float[Tensor, "batch *shape"],
        t: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch *shape"]:
        """x_t, the sample mixed with noise; Ho et al. (2020), equation 4."""
        left = self.alpha_bar[t].reshape(-1, *[1] * (x.ndim - 1))
        return left.sqrt() * x + (1 - left).sqrt() * noise


@torch.no_grad()
def sample_ddpm(
    model: NameNoise,
    schedule: NoiseSchedule,
    shape: Sequence[int],
    *,
    clip: float | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "batch *shape"]:
    """Samples from pure noise by all times of the schedule, with fresh noise at each.

    Ho et al. (2020), algorithm 2. It is DDIM with eta=1 over all times; Song et al. (2021), 4.1.

    Args:
        model: names the noise in x_t.
        schedule: the one it was trained with.
        shape: of the samples, the batch first.
        clip: keep the sample that the model has in mind within −clip…clip, or None. The first
            steps magnify a model's errors, most of all with the cosine: give the data's range.
        generator: where the noise comes from, on the device.
        device: where the model is.
    """
    return sample_ddim(
        model, schedule, shape, steps=len(schedule), eta=1.0,
        clip=clip, generator=generator, device=device,
    )  # fmt: skip


@torch.no_grad()
def sample_ddim(
    model: NameNoise,
    schedule: NoiseSchedule,
    shape: Sequence[int],
    *,
    steps: int = 50,
    eta: float = 0.0,
    clip: float | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "batch *shape"]:
    """Samples from pure noise by a few of the schedule's times.

    Song et al. (2021), equation 12. With eta=0 nothing is random but the start, so that nearby
    starts give nearby samples.

    Args:
        model: names the noise in x_t.
        schedule: the one it was trained with.
        shape: of the samples, the batch first.
        steps: how many times to use, evenly spread; at most those of the schedule.
        eta: 0 adds no noise on the way, 1 as much as DDPM.
        clip: keep the sample that the model has in mind within −clip…clip, or None. The first
            steps magnify a model's errors, most of all with the cosine: give the data's range.
        generator: where the noise comes from, on the device.
        device: where the model is.

    Raises:
        TrainingError: `steps` is no number of the schedule's times.
    """
    last = None
    for last in denoise(  # noqa: B007 - the last one is what is wanted
        model, schedule, shape, steps=steps, eta=eta, clip=clip, generator=generator, device=device
    ):
        pass
    assert last is not None
    return last


@torch.no_grad()
def denoise(
    model: NameNoise,
    schedule: NoiseSchedule,
    shape: Sequence[int],
    *,
    steps: int,
    eta: float = 0.0,
    clip: float | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Float[Tensor, "batch *shape"]]:
    """The samples after each step of `sample_ddim`, from noisy to clean, for showing the way.

    Raises:
        TrainingError: `steps` is no number of the schedule's times.
    """
    if not 1 <= steps <= len(schedule):
        raise TrainingError(
            f"steps is {steps}; the schedule has {len(schedule)} times.",
            fix=f"give 1 to {len(schedule)}",
        )
    schedule = schedule.to(device)
    times = torch.linspace(len(schedule) - 1, 0, steps, device=device).round().long()
    ends = torch.cat([schedule.alpha_bar[times], schedule.alpha_bar.new_ones(1)])
    x = torch.randn(*shape, generator=generator, device=device)
    for i in range(steps):
        noise = model(x, times[i].expand(shape[0]))
        now, then = ends[i], ends[i + 1]
        clean = (x - (1 - now).sqrt() * noise) / now.sqrt()  # what the model has in mind
        if clip is not None:
            clean = clean.clamp(-clip, clip)
            noise = (x - now.sqrt() * clean) / (1 - now).sqrt()
        fresh = eta * ((1 - then) / (1 - now) * (1 - now / then)).clamp(min=0).sqrt()
        x = then.sqrt() * clean + (1 - then - fresh**2).clamp(min=0).sqrt() * noise
        if eta > 0:
            x = x + fresh * torch.randn(*shape, generator=generator, device=device)
        yield x
