import torch


def fit(x, y, num_classes):
    flat = x.flatten(1).float()
    nothing = torch.zeros(flat.shape[1])
    rows = [flat[y == c] for c in range(num_classes)]
    return torch.stack([r.median(0).values if len(r) else nothing for r in rows])


def predict(x, means):
    return (x.flatten(1).float()[:, None] - means).square().sum(2).argmax(1)
