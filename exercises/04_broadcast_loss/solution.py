import torch


def train_step(x, y, w, b, lr):
    """One step of gradient descent on the mean squared error of a linear model.

    Args:
        x: inputs, (N, D).
        y: labels, (N,).
        w: weights, (D, 1).
        b: bias, (1,).
        lr: the learning rate per step.

    Returns:
        The loss before the step, with no axes, and the new w and b, of the shapes they had.
    """
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    # BEGIN SOLUTION
    # STARTER: y_hat = x @ w + b
    # STARTER: loss = (y_hat - y).square().mean()
    y_hat = (x @ w + b)[:, 0]  # (N,), like y
    loss = (y_hat - y).square().mean()
    # END SOLUTION
    loss.backward()
    return loss.detach(), w.detach() - lr * w.grad, b.detach() - lr * b.grad
