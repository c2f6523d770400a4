"""The packaged sample task: a demonstration, not a benchmark.

Each sentence mentions one person and nothing else that tells the person's field; the label is that
field (科学, 文学, 美术 or 音乐). Persons of train, dev and test are disjoint, so on the test set
only the graph says who they are. `python -m benchmarks.make_sample_task` wrote the files.
"""
