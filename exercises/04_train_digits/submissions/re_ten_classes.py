import torch


def train_and_predict(x, y, x_new):
    # Sizes of the chapter's digits, written down instead of read from x and y.
    W = torch.zeros(784, 10, requires_grad=True)
    for i in torch.randperm(len(x)).split(32):
        torch.nn.functional.cross_entropy(x[i] @ W, y[i]).backward()
        with torch.no_grad():
            W -= 0.2 * W.grad
            W.grad = None
    return (x_new @ W).argmax(1)
