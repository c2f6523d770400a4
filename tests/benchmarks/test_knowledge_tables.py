"""The tables of KG-BERT say what the files say, and no more."""

from __future__ import annotations

from typing import Any

from benchmarks.knowledge_tables import (
    exactness,
    quality_table,
    ranking_on_gpu,
    ranking_tables,
    scoring_table,
)


def way(seconds: float, times: float, *, different: int = 0) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "times_original": times,
        "inputs": 1200,
        "flops": 2.5e12,
        "different_ranks": different,
    }


def spread(median: float) -> dict[str, float]:
    return {"median": median, "low": median, "high": median, "n": 3}


def test_ranking_has_steps_whole_sets_and_estimates() -> None:
    original, fast = way(40.0, 1.0), way(5.0, 8.0, different=3)
    whole = {
        "ranks": 1322,
        "original_seconds_scaled": 600.4,
        "original_inputs": 18000,
        "ways": {"bf16": way(75.0, 8.01, different=2)},
    }
    ways = {"the original's way": original, "bf16": fast}
    hours = {"40% of the peak": 1.13, "60% of the peak": 0.75}
    sets = {name: {"hours": hours} for name in ("WN18RR", "FB15k-237")}
    content = {
        "sets": {"UMLS": {"queries": 64, "ranks": 106, "ways": ways, "whole": whole}},
        "estimates": {"gpu": "H200", "sets": sets},
    }
    lines = ranking_tables(content).splitlines()
    row = next(line for line in lines if line.startswith("| bf16") and "2.50" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("bf16", "5.0", "8.00", "1,200", "2.50", "3")
    ]
    assert any("600" in line and "1.00" in line for line in lines)
    text = "\n".join(lines)
    assert "1,200 inputs, for 18,000" in text and "2 ranks differ" in text
    assert "not measured" in text and "WN18RR 1.1 h" in text
    assert "not measured" not in ranking_tables({"sets": content["sets"]})


def test_a_gpu_has_its_measured_rate() -> None:
    ways = {"the original's way": way(40.0, 1.0)}
    rate = {
        "flops_per_second": 4.2e14,
        "share_of_peak": 0.425,
        "hours_at_this_rate": {"UMLS": 0.0, "WN18RR": 1.06, "FB15k-237": 0.64},
    }
    content = {"sets": {"UMLS": {"queries": 4, "ranks": 4, "ways": ways}}, "throughput": rate}
    said = "420 TFLOP a second, 42% of the peak, whole test sets with BERT-base take: WN18RR 1.1 h"
    assert said in ranking_on_gpu(content)
    content["throughput"] = rate | {"share_of_peak": None}
    assert "420 TFLOP a second, whole" in ranking_on_gpu(content)


def test_exactness_counts_the_worst_policy() -> None:
    content = {
        "data": {"name": "UMLS"},
        "triples_compared": 1322,
        "largest_difference_to_transformers": "1.0e-05",
        "largest_difference_of_probabilities": "2.0e-07",
        "deviation_of_scores": 5.08,
        "queries_ranked": 1322,
        "ranks_that_bf16_changes": {"optimistic": 0, "realistic": 3, "pessimistic": 2},
        "share_scored_again": 0.0289,
    }
    assert "1,322 ranks of the whole test set, 3 are others in bf16, where 2.9%" in exactness(
        content
    )


def test_scoring_and_quality_name_peer_seeds_and_share() -> None:
    rates = {"peer": spread(200), "fp32": spread(600), "bf16": spread(1000)}
    content = {
        "data": {"name": "WN18RR", "texts": "name", "triples": 50000},
        "peer": "sentence-transformers 1",
        "triples_a_second": rates | {"each_asked_twice": spread(1200)},
        "times_faster": {name: spread(3) for name in ("fp32", "bf16", "each_asked_twice")},
        "largest_difference": "1e-6",
    }
    text = scoring_table(content)
    assert "CrossEncoder of sentence-transformers 1" in text and "1,200" in text
    found = {"runs": [{"train_share": 0.2, "epochs": [{}]}], "paper": {"accuracy (0.5)": 0.935}}
    summary = {
        "accuracy (0.5)": {"mean": 0.9, "sd": 0.01, "n": 3},
        "accuracy (relation)": {"mean": 0.91, "sd": None, "n": 1},
    }
    table = quality_table({"wn11": {**found, "summary": summary}})
    assert "0.900 ± 0.010" in table and "0.935" in table and " 20%, 1 epoch " in table
    assert " 0.910 " in table and "roc_auc" not in table
