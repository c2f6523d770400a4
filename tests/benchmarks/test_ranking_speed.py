"""Every way of the comparison comes to the same ranks, and operations are those that are done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.encoder_flops import flops, whole_ranking
from benchmarks.plain_wordpiece import PlainWordPiece
from benchmarks.ranking_measure import DISTINCT, FAST, FIRST, KERNELS, measure
from benchmarks.ranking_settings import Setting, drawn_network, laid_out, sliced
from benchmarks.ranking_ways import ORIGINAL, drawn
from kbert.nn.config import EncoderConfig
from kbert.tokenizer import Tokenizer
from kgbert.data import load_data
from kgbert.dataset import PARTS
from kgbert.groups import SIDES
from kgbert.queries import Queries

SAMPLE = load_data("sample")
SIZES = {"layers": 2, "width": 32, "heads": 2, "feed_forward": 64}


def setting(*, triples: int, entities: int, max_length: int = 12) -> Setting:
    data = sliced(SAMPLE, triples=triples, entities=entities)
    data = replace(
        data, texts=replace(data.texts, entities=("acid", *data.texts.entities[1:-1], "acid"))
    )
    tokenizer = Tokenizer.train([*data.texts.entities, *data.texts.relations] * 3, lowercase=True)
    return Setting(
        data=data,
        tokenizer=tokenizer,
        network=drawn_network(EncoderConfig(vocab_size=len(tokenizer), **SIZES)),
        sequences=laid_out(data, tokenizer, max_length=max_length),
        batch=7,
        batch_tokens=200,
        device="cpu",
    )


def test_all_ways_come_to_the_same_ranks() -> None:
    made = setting(triples=40, entities=30)
    made.network.train()  # as a loaded network is; dropout must not count
    found = measure(made)
    ways = found["ways"]
    assert next(iter(ways)) == ORIGINAL and list(ways)[-4:] == [DISTINCT, FIRST, KERNELS, FAST]
    for each in ways.values():
        assert each["different_ranks"] == 0 and each["seconds"] > 0
    assert found["ranks"] == 80
    inputs = [each["inputs"] for each in ways.values()]
    assert inputs == sorted(inputs, reverse=True) and inputs[0] > inputs[1] > inputs[4]
    operations = [each["flops"] for each in ways.values()]
    assert operations == sorted(operations, reverse=True)
    product = np.prod([each["times_step_before"] for each in ways.values()])
    assert product == pytest.approx(ways[FAST]["times_original"])
    assert 0 <= ways[FAST]["again"] < ways[FAST]["inputs"] and "whole" not in found


def test_a_share_of_the_queries_is_ranked_in_every_way_and_all_of_them_in_ours() -> None:
    found = measure(replace(setting(triples=40, entities=30), queries=9))
    whole = found["whole"]
    assert found["queries"] == 9 < found["queries_of_the_test_set"]
    assert found["ranks"] < whole["ranks"] == 80 and list(whole["ways"]) == [KERNELS, FAST]
    assert whole["ways"][FAST]["different_ranks"] == 0
    inputs = found["ways"][ORIGINAL]["inputs"] * whole["ranks"] / found["ranks"]
    assert whole["original_inputs"] == pytest.approx(inputs, rel=0.1)


def test_drawn_queries_keep_their_rows() -> None:
    made = setting(triples=40, entities=30)
    known = made.data.filter(*PARTS)
    every = Queries.plan(made.data.test, sides=SIDES, known=known, entities=30)
    assert drawn(every, share=len(every)) is every
    some = drawn(every, share=9)
    read = [list(each.read(0, len(each), known=known, entities=30)) for each in (every, some)]
    asked = [
        {
            (query.column, *sorted(map(tuple, each.triples[query.rows].tolist()))): query.candidates
            for query in found
        }
        for each, found in zip((every, some), read, strict=True)
    ]
    assert len(asked[1]) == 9 and set(asked[1]) < set(asked[0])
    for key, candidates in asked[1].items():
        assert np.array_equal(candidates, asked[0][key])
    assert sorted(some.members.tolist()) == list(range(len(some.triples)))


def test_a_slice_keeps_its_triples_and_what_is_known() -> None:
    data = sliced(SAMPLE, triples=5, entities=40)
    assert len(data.test) == 5 and len(data.entities) == 40
    everything = {tuple(row) for part in PARTS for row in SAMPLE.triples(part).tolist()}
    number = {name: i for i, name in enumerate(SAMPLE.entities)}
    for part in PARTS:
        for head, relation, tail in data.triples(part).tolist():
            row = number[data.entities[head]], relation, number[data.entities[tail]]
            assert row in everything
    for i, name in enumerate(data.entities):
        assert data.texts.entities[i] == SAMPLE.texts.entities[number[name]]


@pytest.mark.parametrize("first_only", [True, False])
def test_operations_are_those_that_torch_counts(first_only: bool) -> None:
    made = setting(triples=2, entities=10)
    network, length = made.network, 11
    ids = torch.ones(3, length, dtype=torch.long)
    # Other kernels of attention are not counted on a CPU, nor are products without gradient.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        if first_only:
            network(ids, ids * 0)
        else:
            output = network.encoder(
                ids, positions=torch.arange(length).expand_as(ids), segments=ids * 0,
                visibility=None,
            )  # fmt: skip
            network.classifier.classifier(output.pooled)
    config = network.encoder.config
    assert 3 * flops(length, config, first_only=first_only) == counter.get_total_flops()


def test_whole_rankings_are_counted_as_by_brute_force() -> None:
    made = setting(triples=6, entities=30, max_length=8)
    data, config = made.data, made.network.encoder.config
    queries = Queries.plan(
        data.test, sides=SIDES, known=data.filter(*PARTS), entities=len(data.entities)
    )
    asked = queries.members[queries.offsets[:-1]]
    columns = np.where(queries.sides[asked] == 0, 0, 2)
    found = whole_ranking(
        data, made.sequences, config, queries=queries.triples[asked], columns=columns
    )
    lengths = []
    for row, column in zip(queries.triples[asked], columns, strict=True):
        some = np.repeat(row[None], len(data.entities), axis=0)
        some[:, column] = np.arange(len(data.entities))
        lengths.append(made.sequences.lengths(some))
    every = np.concatenate(lengths)
    assert found["inputs"] == len(every) and found["mean_length"] == pytest.approx(every.mean())
    assert found["flops"] == pytest.approx(flops(every, config, first_only=True).sum())


def test_the_plain_tokeniser_is_ours() -> None:
    texts = [*SAMPLE.texts.entities, *SAMPLE.texts.relations]
    tokenizer = Tokenizer.train(texts, lowercase=True)
    plain = PlainWordPiece.of(tokenizer)
    odd = [
        "Säure-Rest, (H2O)!",
        "a\tb\u00a0c",
        "\u9178acid",
        "x" * 101,
        "",
        "[SEP] acid",
        "\u20ac5 $5",
    ]
    for text in [*texts, *odd]:
        assert plain.encode(text) == list(tokenizer.encode(text).ids), text
