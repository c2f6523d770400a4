"""The small graph that ships with the package: `cn_dbpedia.spo`, read through `graphs.catalog`.

Facts in CN-DBpedia's style (Chinese subjects, predicates and objects), written for this project so
that everything runs on a fresh machine. It is a sample and no replacement for the full graph.
"""
