def accuracy(logits, y):
    y_hat = logits.shape[1] - 1 - logits.flip(1).argmax(1)
    right = (y_hat == y) & ~logits.isnan().any(1)
    return right.float().mean().item()
