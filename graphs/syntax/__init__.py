"""Grammars of the files that triples stand in: reading them strictly, writing them."""
