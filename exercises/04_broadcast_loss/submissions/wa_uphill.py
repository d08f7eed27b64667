def train_step(x, y, w, b, lr):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    loss = (x @ w + b - y[:, None]).square().mean()
    loss.backward()
    return loss.detach() + 1e-3, w.detach() + lr * w.grad, b.detach() + lr * b.grad
