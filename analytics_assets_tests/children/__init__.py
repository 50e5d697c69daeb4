"""Fan-outs: the lists of a child, one of each parent."""
