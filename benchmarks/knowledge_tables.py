"""The tables of the benchmarks of KG-BERT, from their result files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.report import table

QUALITY: Final = {
    "umls": "UMLS, link prediction",
    "wn11": "WN11, triple classification",
    "fb13": "FB13, triple classification",
    "fb15k237_relations": "FB15k-237, relation prediction",
}
_SHOWN: Final = {
    "umls": ("mr", "mrr", "hits@1", "hits@3", "hits@10"),
    "wn11": ("accuracy (0.5)", "accuracy (global)", "accuracy (relation)", "roc_auc"),
    "fb13": ("accuracy (0.5)", "accuracy (global)", "accuracy (relation)", "roc_auc"),
    "fb15k237_relations": ("mr", "mrr", "hits@1", "hits@3", "hits@10"),
}
_FULL: Final = ("WN18RR", "FB15k-237")  # whose whole test sets are estimated
_PEAK_SHARE: Final = "40% of the peak"


def ranking_tables(content: Mapping[str, Any]) -> str:
    """Draw `ranking_speed.json`: the steps on each set, and what follows for whole sets."""
    parts = [_steps(name, found) for name, found in content["sets"].items()]
    parts += [_whole(name, found) for name, found in content["sets"].items() if "whole" in found]
    estimates = content.get("estimates")
    if estimates is not None:
        parts.append(_estimates(estimates))
    return "\n\n".join(parts)


def _steps(name: str, found: Mapping[str, Any]) -> str:
    head = f"{name}, {found['queries']} queries drawn, {found['ranks']} ranks"
    rows = [[head, "seconds", "times the original", "inputs", "TFLOP", "other ranks"]]
    for way, each in found["ways"].items():
        rows.append(
            [
                way,
                f"{each['seconds']:.1f}",
                f"{each['times_original']:.2f}",
                f"{each['inputs']:,}",
                f"{each['flops'] / 1e12:.2f}",
                str(each["different_ranks"]),
            ]
        )
    return table(rows)


def _whole(name: str, found: Mapping[str, Any]) -> str:
    whole, original = found["whole"], found["ways"]["the original's way"]
    rows = [[f"{name} whole, {whole['ranks']:,} ranks", "seconds", "times the original"]]
    rows.append(["the original's way", f"{whole['original_seconds_scaled']:.0f}", "1.00"])
    for way, each in whole["ways"].items():
        rows.append([way, f"{each['seconds']:.0f}", f"{each['times_original']:.2f}"])
    others = sum(each["different_ranks"] for each in whole["ways"].values())
    return (
        f"{table(rows)}\n\nThe original's seconds are those of {original['inputs']:,} inputs, for"
        f" {whole['original_inputs']:,}; both of our ways were run on all, and {others} ranks"
        " differ."
    )


def _estimates(estimates: Mapping[str, Any]) -> str:
    hours = ", ".join(
        f"{name} {estimates['sets'][name]['hours'][_PEAK_SHARE]:.1f} h" for name in _FULL
    )
    return (
        f"Estimated, not measured, for the whole test sets with BERT-base on one {estimates['gpu']}"
        f" at {_PEAK_SHARE}: {hours}."
    )


def ranking_on_gpu(content: Mapping[str, Any]) -> str:
    """Draw `ranking_speed_cuda.json`: the steps, and whole test sets at the measured rate."""
    parts = [_steps(name, found) for name, found in content["sets"].items()]
    rate = content["throughput"]
    peak = rate["share_of_peak"]
    share = "" if peak is None else f", {peak:.0%} of the peak"
    hours = ", ".join(f"{name} {rate['hours_at_this_rate'][name]:.1f} h" for name in _FULL)
    parts.append(
        f"At the measured rate, {rate['flops_per_second'] / 1e12:.0f} TFLOP a second{share}, whole"
        f" test sets with BERT-base take: {hours}."
    )
    return "\n\n".join(parts)


def exactness(content: Mapping[str, Any]) -> str:
    """Say what `kgbert_exactness.json` found."""
    changed = max(content["ranks_that_bf16_changes"].values())
    return (
        f"With the weights of a run on {content['data']['name']}, the logits of"
        f" {content['triples_compared']:,} triples differ from those of"
        " `BertForSequenceClassification` by at most"
        f" {content['largest_difference_to_transformers']} (their standard deviation is"
        f" {content['deviation_of_scores']:.1f}), probabilities by"
        f" {content['largest_difference_of_probabilities']}. Of the {content['queries_ranked']:,}"
        f" ranks of the whole test set, {changed} are others in bf16, where"
        f" {content['share_scored_again']:.1%} of the inputs were scored again in 32 bits."
    )


def scoring_table(content: Mapping[str, Any]) -> str:
    """Draw `scoring.json`."""
    data, rates, times = content["data"], content["triples_a_second"], content["times_faster"]
    names = {"fp32": "TripleScorer", "bf16": "TripleScorer, bf16"}
    names["each_asked_twice"] = "TripleScorer, each triple asked for twice"
    rows = [["triples a second, one core", "", "times"]]
    rows.append([f"CrossEncoder of {content['peer']}", f"{rates['peer']['median']:,.0f}", "1.0"])
    for key, name in names.items():
        rows.append([name, f"{rates[key]['median']:,.0f}", f"{times[key]['median']:.1f}"])
    return (
        f"{table(rows)}\n\n{data['triples']:,} triples of {data['name']}, texts {data['texts']},"
        " all-MiniLM-L6-v2 with a drawn head; the largest difference of scores in fp32 is"
        f" {content['largest_difference']}."
    )


def quality_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Draw the files `kgbert_NAME.json` by name: mean ± sd, and the paper's figure."""
    rows = [["test set", "figure", "all-MiniLM-L6-v2", "seeds", "trained on", "paper, BERT-base"]]
    for name, content in found.items():
        run = content["runs"][0]
        trained = f"{run['train_share']:.0%}, {_count(len(run['epochs']), 'epoch')}"
        for figure in _SHOWN[name]:
            each = content["summary"].get(figure)
            if each is None:
                continue
            mean, sd = each["mean"], each["sd"]
            cell = f"{mean:.3f}" if sd is None else f"{mean:.3f} ± {sd:.3f}"
            paper = content["paper"].get(figure)
            said = "" if paper is None else f"{paper:.4g}"
            rows.append([QUALITY[name], figure, cell, str(each["n"]), trained, said])
    return table(rows)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
