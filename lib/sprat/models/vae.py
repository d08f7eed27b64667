"""A variational autoencoder for small pictures.

The encoder gives, for each picture, a normal distribution over codes; the decoder paints a picture
from a code. Kingma and Welling, "Auto-Encoding Variational Bayes" (2014). How it is trained is a
phase, not part of the network: chapter 21 builds it.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Tensor


class VAE(nn.Module):
    """Encoder and decoder, fully connected.

    Args:
        in_channels: channels of the picture.
        size: (height, width) of the picture in pixels.
        num_latents: numbers in a code.
        num_hiddens: width of the two hidden layers on each side.
    """

    def __init__(
        self,
        in_channels: int,
        size: Sequence[int],
        *,
        num_latents: int = 2,
        num_hiddens: int = 256,
    ) -> None:
        super().__init__()
        check_counts(
            self, in_channels=in_channels, num_latents=num_latents, num_hiddens=num_hiddens
        )
        check_lists(self, length=2, size=size)
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "size": list(size),
            "num_latents": num_latents,
            "num_hiddens": num_hiddens,
        }
        shape = (in_channels, *size)
        pixels = in_channels * size[0] * size[1]
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, num_hiddens),
            nn.ReLU(),
            nn.Linear(num_hiddens, num_hiddens),
            nn.ReLU(),
        )
        self.mu = nn.Linear(num_hiddens, num_latents)
        self.log_var = nn.Linear(num_hiddens, num_latents)
        self.decoder = nn.Sequential(
            nn.Linear(num_latents, num_hiddens),
            nn.ReLU(),
            nn.Linear(num_hiddens, num_hiddens),
            nn.ReLU(),
            nn.Linear(num_hiddens, pixels),
            nn.Unflatten(1, shape),
        )

    def encode(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch num_latents"], Float[Tensor, "batch num_latents"]]:
        """The mean and the logarithm of the variance of each picture's codes."""
        h = self.encoder(x)
        return self.mu(h), self.log_var(h)

    def decode(
        self, z: Float[Tensor, "batch num_latents"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Logits of the pixels; a sigmoid makes them brightnesses 0…1."""
        return self.decoder(z)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The picture painted from the mean code: logits."""
        return self.decode(self.encode(x)[0])
