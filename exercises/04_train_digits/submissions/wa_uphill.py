import torch


def train_and_predict(x, y, x_new):
    W = torch.zeros(x.shape[1], int(y.max()) + 1, requires_grad=True)
    for i in torch.randperm(len(x)).split(32):
        torch.nn.functional.cross_entropy(x[i] @ W, y[i]).backward()
        with torch.no_grad():
            W += 0.2 * W.grad
            W.grad = None
    return (x_new @ W).argmax(1)
