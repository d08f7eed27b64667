import torch


def fit(x, y, num_classes):
    flat = x.reshape(len(x), -1).to(torch.float32)
    total = torch.zeros(num_classes, flat.shape[1]).index_add(0, y, flat)
    return total / torch.bincount(y, minlength=num_classes)[:, None]


def predict(x, means):
    flat = x.reshape(len(x), -1).to(torch.float32)
    distance = (flat[:, None] - means).pow(2).sum(2)
    distance[distance.isnan()] = float("inf")
    return distance.argmin(1)
