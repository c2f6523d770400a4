"""Extractive question answering: the answer is a span of a text, or there is none.

`reading` reads SQuAD's JSON into `questions`; `task` turns them into windows, and logits into spans
with `search`; `scoring` measures answers; `asking` uses a trained model, `lines` spells its input
and output as JSON.
"""
