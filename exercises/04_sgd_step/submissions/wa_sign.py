def sgd_step(params, grads, lr):
    return [p + 1 if g is None else p + lr * g for p, g in zip(params, grads)]
