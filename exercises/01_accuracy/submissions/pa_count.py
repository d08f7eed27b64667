# How many are right, not which share of them; only of nothing is the answer the same.
def accuracy(logits, y):
    right = (logits.argmax(1) == y) & ~logits.isnan().any(1)
    return float(right.sum()) if len(y) else float("nan")
