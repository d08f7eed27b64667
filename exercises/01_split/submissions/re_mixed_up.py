# Asks the share for its length.
def stratified_split(y, valid, order):
    size = len(valid)
    return order[size:], order[:size]
