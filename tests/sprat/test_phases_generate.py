"""Phases that learn to make things: VAE, GAN, diffusion. Each learns something small but real."""

import math

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.diffusion import NoiseSchedule, denoise, sample_ddim, sample_ddpm
from sprat.errors import TaskError, TrainingError
from sprat.phases.diffusion import DiffusionPhase
from sprat.phases.gan import GANPhase
from sprat.phases.vae import VAEPhase, kl_from_normal


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    """1,797 handwritten digits of 8×8, 0…1, (N, 1, 8, 8)."""
    from sklearn.datasets import load_digits

    return torch.tensor(load_digits().images / 16, dtype=torch.float32)[:, None]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Events(sp.Callback):
    """The names of everything that happens, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def fit_begin(self, learn: sp.Learner) -> None:
        self.seen.append("fit_begin")

    def epoch_begin(self, learn: sp.Learner) -> None:
        self.seen.append("epoch_begin")

    def phase_begin(self, learn: sp.Learner) -> None:
        self.seen.append(f"{learn.phase.name}_begin")

    def step_begin(self, learn: sp.Learner) -> None:
        self.seen.append("step_begin")

    def backward_end(self, learn: sp.Learner) -> None:
        self.seen.append("backward_end")

    def step_end(self, learn: sp.Learner) -> None:
        self.seen.append("step_end")

    def phase_end(self, learn: sp.Learner) -> None:
        self.seen.append(f"{learn.phase.name}_end")

    def epoch_end(self, learn: sp.Learner) -> None:
        self.seen.append("epoch_end")

    def fit_end(self, learn: sp.Learner) -> None:
        self.seen.append("fit_end")


def expected(steps: int, updates: int, valid_steps: int) -> list[str]:
    step = ["step_begin", *["backward_end"] * updates, "step_end"]
    valid = ["valid_begin", *["step_begin", "step_end"] * valid_steps, "valid_end"]
    return [
        "fit_begin", "epoch_begin", "train_begin", *step * steps, "train_end",
        *(valid if valid_steps else []), "epoch_end", "fit_end",
    ]  # fmt: skip


def vae_learner(digits: torch.Tensor, beta: float = 0.03, batch_size: int = 64) -> sp.Learner:
    torch.manual_seed(1)
    phase = VAEPhase(beta, generator=seeded(2))
    model = sp.models.VAE(1, (8, 8), num_latents=8, num_hiddens=128)
    return sp.Learner(
        model,
        (sp.Data(digits[:1500]), sp.Data(digits[1500:])),
        phases=(phase, sp.ValidPhase(phase.step)),
        batch_size=batch_size,
        device="cpu",
        generator=seeded(3),
    )


def test_a_vae_redraws_unseen_digits_and_uses_its_code(digits: torch.Tensor) -> None:
    learn = vae_learner(digits, batch_size=32)
    learn.fit_one_cycle(20, 5e-3)
    valid = digits[1500:]
    mean_image = (valid - digits[:1500].mean(0)).square().flatten(1).sum(1).mean()
    assert learn.history.last("valid_error") < 0.4 * mean_image
    assert learn.history.last("valid_kl") > 1  # nats: the code says something


def test_a_vae_fires_its_events_in_exact_order(digits: torch.Tensor) -> None:
    learn, events = vae_learner(digits[:1700]), Events()
    learn.fit(1, callbacks=[events])
    assert events.seen == expected(steps=24, updates=1, valid_steps=2)


def test_the_kl_is_that_of_torch() -> None:
    mu, log_var = torch.randn(5, 3), torch.randn(5, 3)
    ours = kl_from_normal(mu, log_var)
    normal = torch.distributions.Normal(mu, (log_var / 2).exp())
    theirs = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(ours, theirs.sum(1).mean())


def test_the_noise_of_a_vae_comes_from_its_generator(digits: torch.Tensor) -> None:
    losses = []
    for _ in range(2):
        learn = vae_learner(digits[:1600])
        torch.manual_seed(len(losses) + 40)  # torch's own generator plays no part
        losses.append(learn.fit(1).losses)
    assert losses[0] == losses[1]


def test_a_model_without_decode_is_named(digits: torch.Tensor) -> None:
    learn = sp.Learner(nn.Linear(8, 8), (sp.Data(digits),), phases=[VAEPhase()], device="cpu")
    with pytest.raises(TaskError, match=r"VAEPhase needs 'encode' of the model; Linear has none"):
        learn.fit(1)


def pair(num_latents: int = 2) -> nn.ModuleDict:
    torch.manual_seed(5)
    generator = nn.Sequential(nn.Linear(num_latents, 32), nn.ReLU(), nn.Linear(32, 2))
    discriminator = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    return nn.ModuleDict({"generator": generator, "discriminator": discriminator})


def gan_learner(model: nn.ModuleDict, x: torch.Tensor, **options: object) -> sp.Learner:
    optimizer = {
        name: torch.optim.Adam(part.parameters(), lr=2e-3, betas=(0.5, 0.9))
        for name, part in model.items()
    }
    phase = GANPhase(2, generator=seeded(6))
    return sp.Learner(
        model,
        (sp.Data(x),),
        phases=[phase],
        device="cpu",
        **{"optimizer": optimizer, "generator": seeded(7), **options},  # type: ignore[arg-type]
    )


def two_principal_numbers(digits: torch.Tensor) -> torch.Tensor:
    """Digits seen through their two principal components, each with standard deviation 1."""
    flat = digits.flatten(1)
    flat = flat - flat.mean(0)
    u, _, _ = torch.linalg.svd(flat, full_matrices=False)
    return u[:, :2] * math.sqrt(len(flat))


def energy_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """How far apart two samples of a distribution are; 0 for the same; Székely and Rizzo (2013)."""
    return float(2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean())


def test_a_gan_learns_the_distribution_of_digits(digits: torch.Tensor) -> None:
    x = two_principal_numbers(digits) + torch.tensor([3.0, -2.0])
    model = pair()
    noise = torch.randn(1000, 2, generator=seeded(8))
    before = energy_distance(model["generator"](noise).detach(), x)
    gan_learner(model, x).fit(25)
    made = model["generator"](noise).detach()
    assert energy_distance(made, x) < 0.1 * before
    assert (made.std(0) > 0.4).all()  # it has not collapsed to a point


def test_each_player_moves_only_its_own_weights_once_a_step(digits: torch.Tensor) -> None:
    model, events = pair(), Events()
    learn = gan_learner(model, two_principal_numbers(digits)[:160])
    learn.fit(1, callbacks=[events])
    assert events.seen == expected(steps=3, updates=2, valid_steps=0)
    for optimizer in learn.optimizers.values():
        assert {int(state["step"]) for state in optimizer.state.values()} == {3}
    assert set(learn.history.rows[0]) == {
        "epoch", "train_loss", "train_generator_loss", "train_discriminator_loss",
        "train_told_apart",
    }  # fmt: skip


def test_the_generators_loss_is_the_one_that_does_not_vanish() -> None:
    """With a discriminator that always says 0, both losses are those of a coin: log 2 each."""
    model = pair()
    for parameter in model["discriminator"].parameters():
        parameter.data.zero_()
    learn = gan_learner(model, torch.randn(64, 2), lr=0.0)
    state = learn.history
    learn.fit(1, lr=0.0)
    assert state.last("train_generator_loss") == pytest.approx(math.log(2), rel=1e-5)
    assert state.last("train_discriminator_loss") == pytest.approx(2 * math.log(2), rel=1e-5)


def test_a_gan_with_one_optimiser_says_what_it_needs() -> None:
    learn = gan_learner(pair(), torch.randn(8, 2), optimizer=torch.optim.Adam)
    with pytest.raises(TaskError, match="no discriminator and no generator"):
        learn.fit(1)


class NamesNoise(nn.Module):
    """A little network of x_t and t."""

    def __init__(self, size: int, times: int) -> None:
        super().__init__()
        self.times = times
        self.net = nn.Sequential(
            nn.Linear(size + 8, 256),
            nn.SiLU(),
            nn.Linear(256, 256),
            nn.SiLU(),
            nn.Linear(256, size),
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        angle = t[:, None] / self.times * torch.tensor([1.0, 2, 4, 8]) * math.pi
        features = torch.cat([x.flatten(1), angle.sin(), angle.cos()], 1)
        return self.net(features).reshape(x.shape)


def test_a_diffusion_model_learns_to_name_noise_and_to_draw(digits: torch.Tensor) -> None:
    torch.manual_seed(9)
    x = (two_principal_numbers(digits) + torch.tensor([1.5, -1.0])) / 2
    schedule = NoiseSchedule.cosine(100)
    model, phase = NamesNoise(2, 100), DiffusionPhase(schedule, generator=seeded(10))
    learn = sp.Learner(
        model,
        (sp.Data(x[:1500]), sp.Data(x[1500:])),
        phases=(phase, sp.ValidPhase(phase.step)),
        device="cpu",
        generator=seeded(11),
    )
    learn.fit_one_cycle(30, 4e-3)
    assert learn.history.last("valid_loss") < 0.7  # naming nothing costs 1
    noise = torch.randn(500, 2, generator=seeded(12))
    for made in (
        sample_ddim(model, schedule, (500, 2), steps=25, clip=4, generator=seeded(12)),
        sample_ddpm(model, schedule, (500, 2), clip=4, generator=seeded(12)),
    ):
        assert energy_distance(made, x) < 0.15 * energy_distance(noise, x)


def test_diffusion_fires_its_events_in_exact_order(digits: torch.Tensor) -> None:
    phase, events = DiffusionPhase(NoiseSchedule.linear(50)), Events()
    data = (sp.Data(digits[:128]), sp.Data(digits[128:256]))
    learn = sp.Learner(
        NamesNoise(64, 50), data, phases=(phase, sp.ValidPhase(phase.step)), device="cpu"
    )
    learn.fit(1, callbacks=[events])
    assert events.seen == expected(steps=2, updates=1, valid_steps=1)
    assert learn.state["t"].shape == (128,)


def exact(schedule: NoiseSchedule, mean: float, std: float) -> object:
    """The best possible answer where the data is normal: the noise expected, given x_t."""

    def model(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        left = schedule.alpha_bar[t][:, None]
        return (1 - left).sqrt() * (x - left.sqrt() * mean) / (left * std**2 + 1 - left)

    return model


@pytest.mark.parametrize("schedule", [NoiseSchedule.linear(400), NoiseSchedule.cosine(400)])
@pytest.mark.parametrize(("steps", "eta"), [(400, 0.0), (100, 0.0), (400, 1.0)])
def test_with_the_exact_model_samples_have_the_exact_distribution(
    schedule: NoiseSchedule, steps: int, eta: float
) -> None:
    made = sample_ddim(
        exact(schedule, 2.0, 0.5),  # type: ignore[arg-type]
        schedule, (4000, 1), steps=steps, eta=eta, generator=seeded(13),
    )  # fmt: skip
    assert float(made.mean()) == pytest.approx(2.0, abs=0.05)
    assert float(made.std()) == pytest.approx(0.5, abs=0.03)


def test_noise_is_mixed_in_as_the_paper_says() -> None:
    schedule = NoiseSchedule.linear()
    assert schedule.alpha_bar[0] == pytest.approx(1 - 1e-4)
    assert float(schedule.alpha_bar[-1]) == pytest.approx(4e-5, rel=0.1)  # Ho et al., section 4
    x, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    t = torch.tensor([0, 999])
    mixed = schedule.add_noise(x, noise, t)
    for i in range(2):
        left = schedule.alpha_bar[t[i]]
        torch.testing.assert_close(mixed[i], left.sqrt() * x[i] + (1 - left).sqrt() * noise[i])


def test_the_way_is_shown_and_clipped() -> None:
    schedule = NoiseSchedule.cosine(50)
    wild = lambda x, t: -5 * x  # noqa: E731
    way = list(denoise(wild, schedule, (4, 1), steps=10, clip=1.0, generator=seeded()))
    assert len(way) == 10
    assert way[-1].abs().max() <= 1


def test_senseless_schedules_and_steps_are_named() -> None:
    with pytest.raises(TrainingError, match="falls from below 1"):
        NoiseSchedule(torch.tensor([0.5, 0.9, 0.1]))
    with pytest.raises(TrainingError, match="steps is 51; the schedule has 50"):
        sample_ddim(lambda x, t: x, NoiseSchedule.cosine(50), (1, 1), steps=51)
