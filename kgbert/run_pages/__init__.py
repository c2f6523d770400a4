"""The report of a run over triples, and of its evaluations, as pages."""
