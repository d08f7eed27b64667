import torch


def confusion_matrix(y_hat: torch.Tensor, y: torch.Tensor, num_classes: int) -> torch.Tensor:
    """How many pictures of each class were taken for each class.

    Args:
        y_hat: predicted classes, whole numbers, (N,).
        y: true classes, whole numbers, (N,).
        num_classes: how many classes there are; all numbers are below it.

    Returns:
        Counts, int64, (num_classes, num_classes): rows for the truth, columns for the prediction.
    """
    # BEGIN SOLUTION
    counts = torch.bincount(y * num_classes + y_hat, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)
    # END SOLUTION
