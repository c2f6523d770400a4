"""The packaged data set: a demonstration, not a benchmark.

Simple compounds, their elements, acids and solubility, as a KG-BERT folder. A compound's name tells
most of its facts. `python -m benchmarks.make_sample_triples` wrote the files.
"""
