import torch


# Beats the baseline, but noise in single neighbours keeps it from 90%.
def classify(x, y, x_new):
    return y[torch.cdist(x_new.flatten(1), x.flatten(1)).argmin(1)]
