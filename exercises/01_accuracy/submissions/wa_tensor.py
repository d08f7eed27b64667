def accuracy(logits, y):
    right = (logits.argmax(1) == y) & ~logits.isnan().any(1)
    return right.float().mean()
