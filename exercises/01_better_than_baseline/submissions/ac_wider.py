import torch
from torch import nn


def classify(x, y, x_new):
    net = nn.Sequential(nn.Flatten(), nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    loss = nn.CrossEntropyLoss()
    for _ in range(30):
        for i in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss(net(x[i]), y[i]).backward()
            optimizer.step()
    with torch.no_grad():
        return net(x_new).argmax(1)
