def sgd_step(params, grads, lr):
    # Forgets that parameters may differ in shape: only vectors come through.
    return [p if g is None else p - lr * g.reshape(-1) for p, g in zip(params, grads)]
