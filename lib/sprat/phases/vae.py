"""A variational autoencoder is trained by one phase.

Kingma and Welling, "Auto-Encoding Variational Bayes" (2014), section 2; the weight β of the second
term is that of Higgins et al., "β-VAE" (2017).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sprat.data import Batch
from sprat.phases import TrainPhase
from sprat.phases.parts import part
from sprat.shapes import Float

if TYPE_CHECKING:
    from sprat.learner import Learner, State

FIX = "use sprat.models.VAE, or a model with encode(x) → (mu, log_var) and decode(z)"


def squared_error(
    x_hat: Float[Tensor, "batch *shape"], x: Float[Tensor, "batch *shape"]
) -> Float[Tensor, ""]:
    """The squared error, summed over a sample's numbers, averaged over samples."""
    return (x_hat - x).square().flatten(1).sum(1).mean()


def kl_from_normal(
    mu: Float[Tensor, "batch latents"], log_var: Float[Tensor, "batch latents"]
) -> Float[Tensor, ""]:
    """KL(N(mu, exp(log_var)) ‖ N(0, 1)) in nats, summed over latents, averaged over samples.

    For each latent it is ½(μ² + σ² − 1 − log σ²); Kingma and Welling (2014), appendix B.
    """
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1).mean()


class VAEPhase(TrainPhase):
    """Redraw each input from a noisy code, and keep the codes near a standard normal.

    The loss is ``error + beta · kl``. Both are named, so the history has them. Measure with
    ``ValidPhase(phase.step)``.

    Args:
        beta: the weight of the KL term, against an error that is summed over a sample's numbers.
        error: ``(x_hat, x)`` to a tensor with no axes.
        to_x: makes inputs of what the decoder gives; a sigmoid for pictures of 0…1.
        generator: where the noise comes from, on the learner's device; torch's own by default.
    """

    def __init__(
        self,
        beta: float = 1.0,
        *,
        error: Callable[[Tensor, Tensor], Tensor] = squared_error,
        to_x: Callable[[Tensor], Tensor] = torch.sigmoid,
        generator: torch.Generator | None = None,
    ) -> None:
        self.beta, self.error, self.to_x, self.generator = beta, error, to_x, generator

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """Encode, draw a code, decode, compare."""
        mu, log_var = part(learn, "encode", fix=FIX)(batch.x)  # (B, latents) each
        noise = torch.empty_like(mu).normal_(generator=self.generator)
        z = mu + noise * (log_var / 2).exp()
        x_hat = self.to_x(part(learn, "decode", fix=FIX)(z))
        error, kl = self.error(x_hat, batch.x), kl_from_normal(mu, log_var)
        return learn.update(loss=error + self.beta * kl, y_hat=x_hat, error=error, kl=kl)
