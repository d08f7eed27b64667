import torch


def sgd_step(params: list[torch.Tensor], grads: list, lr: float) -> list[torch.Tensor]:
    """New parameters after one step of gradient descent.

    Args:
        params: tensors of any shapes.
        grads: the gradient of each, of the same shape, or None where a parameter is frozen.
        lr: the learning rate per step.
    """
    # BEGIN SOLUTION
    return [p.clone() if g is None else p - lr * g for p, g in zip(params, grads)]
    # END SOLUTION
