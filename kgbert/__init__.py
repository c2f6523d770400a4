"""BERT over triples (KG-BERT): triple classification, relation prediction, link prediction.

The package is reserved for them and has no public names yet.
"""

__all__: list[str] = []
