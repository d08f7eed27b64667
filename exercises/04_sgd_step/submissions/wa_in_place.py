def sgd_step(params, grads, lr):
    for p, g in zip(params, grads):
        if g is not None:
            p -= lr * g
        else:
            p += 0
    return params
