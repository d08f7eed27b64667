import torch


# Rows for the prediction: the other convention. Only an empty matrix is the same both ways.
def confusion_matrix(y_hat, y, num_classes):
    counts = torch.bincount(y_hat * num_classes + y, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)
