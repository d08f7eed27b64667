import torch
from torch import nn
from torch.nn import functional as F


# Returns the scores of all classes instead of the best class.
def classify(x, y, x_new):
    net = nn.Sequential(nn.Flatten(), nn.Linear(100, 128), nn.ReLU(), nn.Linear(128, 4))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(5):
        for i in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            optimizer.step()
    return net(x_new)
