import torch


def train_and_predict(x, y, x_new):
    # A linear model, well trained: it does all but the pairs.
    W = torch.zeros(x.shape[1], int(y.max()) + 1, requires_grad=True)
    for _ in range(30):
        for i in torch.randperm(len(x)).split(32):
            loss = torch.nn.functional.cross_entropy(x[i] @ W, y[i])
            loss.backward()
            with torch.no_grad():
                W -= 0.2 * W.grad
                W.grad = None
    return (x_new @ W).argmax(1)
