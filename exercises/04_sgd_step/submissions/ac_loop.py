def sgd_step(params, grads, lr):
    new = []
    for p, g in zip(params, grads):
        if g is None:
            new.append(p)
        else:
            new.append(p.sub(g, alpha=lr))
    return new
