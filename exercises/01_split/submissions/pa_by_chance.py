# The first of the whole order, whatever their class.
def stratified_split(y, valid, order):
    size = int(valid * len(y) + 0.5)
    return order[size:].sort().values, order[:size].sort().values
