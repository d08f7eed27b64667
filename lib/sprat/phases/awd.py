"""Training a recurrent language model with AR and TAR: large and jumping activations cost.

Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language Models" (2018), section 4.5.
What a text is encoded as, and the loss of the next token, are the learner's.
"""

from typing import TYPE_CHECKING

from sprat.data import Batch
from sprat.models.rnn import activation_penalty
from sprat.phases import TrainPhase
from sprat.phases.parts import part

if TYPE_CHECKING:
    from sprat.learner import Learner, State

FIX = "give the learner sprat.models.RNNLM, or train another model with TrainPhase"


class AWDPhase(TrainPhase):
    """`TrainPhase` for an `RNNLM`, with the penalty beside the loss and in the history.

    Args:
        alpha: weight of the activations' size (AR).
        beta: weight of their change from one token to the next (TAR).
    """

    def __init__(self, alpha: float = 2.0, beta: float = 1.0) -> None:
        self.alpha, self.beta = alpha, beta

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """One step down the loss and the penalty."""
        raw, dropped, _ = part(learn, "hidden", fix=FIX)(batch.x)
        y_hat = part(learn, "read_out", fix=FIX)(dropped)
        penalty = activation_penalty(raw, dropped, alpha=self.alpha, beta=self.beta)
        loss = learn.loss(y_hat, batch.y) + penalty
        return learn.update(loss=loss, y_hat=y_hat, penalty=penalty.detach())
