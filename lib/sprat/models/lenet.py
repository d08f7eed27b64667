"""A small convolutional network in the manner of LeNet.

Two rounds of convolution and pooling, then a perceptron; LeCun, Bottou, Bengio and Haffner,
"Gradient-based learning applied to document recognition" (1998), with ReLU and max pooling in the
places of the sigmoids and averages of that time.
"""

from typing import Any

from torch import nn

from sprat.models.sizes import check_counts
from sprat.shapes import Float, Tensor


class LeNet(nn.Module):
    """Convolution, pooling, convolution, pooling, then two linear layers.

    Args:
        in_channels: channels of the picture.
        num_outputs: numbers that come out.
        width: channels after the first convolution; the second gives twice as many.
        num_hiddens: width of the hidden linear layer.
    """

    def __init__(
        self, in_channels: int, num_outputs: int, *, width: int = 16, num_hiddens: int = 64
    ) -> None:
        super().__init__()
        check_counts(
            self,
            in_channels=in_channels,
            num_outputs=num_outputs,
            width=width,
            num_hiddens=num_hiddens,
        )
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "num_outputs": num_outputs,
            "width": width,
            "num_hiddens": num_hiddens,
        }
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(4),  # so that pictures of any size give 4 × 4 places
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * width * 4 * 4, num_hiddens),
            nn.ReLU(),
            nn.Linear(num_hiddens, num_outputs),
        )

    def trunk(self) -> nn.Sequential:
        """The convolutions: (B, channels, H, W) to (B, 2 width, H / 4, W / 4)."""
        return nn.Sequential(*list(self.body)[:-1])  # without the averages that only the head needs

    def groups(self) -> list[nn.Module]:
        """Convolutions, linear layers: parts that may train at different rates."""
        return [self.body, self.head]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """Logits."""
        return self.head(self.body(x))
