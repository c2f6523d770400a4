"""Write the results section of the README from the result files.

`python -m benchmarks.summary` puts the tables between the two marks in README.md; a test holds the
README equal to what this prints, so that no figure there can differ from its file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.data import REPOSITORY
from benchmarks.graph_scale import render
from benchmarks.knowledge_tables import (
    QUALITY,
    exactness,
    quality_table,
    ranking_on_gpu,
    ranking_tables,
    scoring_table,
)
from benchmarks.pretraining_runs import LANGUAGES
from benchmarks.pretraining_runs import render as small_berts
from benchmarks.pretraining_tables import data_table, step_tables
from benchmarks.report import RESULTS, table

BEGIN: Final = "<!-- results: written by python -m benchmarks.summary -->"
END: Final = "<!-- end of results -->"
_GAIN: Final = "test_gain_over_"
_ON_GPU: Final = "pretraining_step_cuda"  # not everyone can make this one and the next
_RANKING_ON_GPU: Final = "ranking_speed_cuda"
_TITLES: Final = {
    "sample": (
        "Packaged sample (demonstration; test persons are in no training sentence)",
        "Settings are the defaults; `no facts` is the same graph and vocabulary with"
        " `--max-facts 0`.",
    ),
    "chnsenticorp": (
        "ChnSentiCorp, sentiment, with and without HowNet",
        "`configs/chnsenticorp.yaml`: 2 layers of width 128 from scratch, not a pre-trained BERT."
        " HowNet makes no difference to it; the paper reports 94.3 without and 95.6 with HowNet for"
        " Google's BERT, 95.7 and 95.6 for its own (Liu et al. 2020, table 1).",
    ),
    "medical_ner": (
        "Medical NER, typed span F1, with and without Medical",
        "`configs/medical_ner.yaml`: 2 layers of width 128 from scratch. The graph's classes are"
        " nearly the labels, so this is close to a gazetteer.",
    ),
    "sst": (
        "SST-2, English, all-MiniLM-L6-v2 as `--init`, no graph",
        "`configs/sst_minilm.yaml`.",
    ),
    "trec": (
        "TREC, questions of six classes, with and without the DBpedia ontology (RDF)",
        "`configs/trec_dbpedia.yaml`: 2 layers of width 128 from scratch. What is injected, the"
        " definitions, was chosen by dev accuracy among seven choices. The gain in accuracy is two"
        " or three of 500 questions, and macro F1 falls: no evidence of help."
        " [docs/rdf.md](docs/rdf.md) goes through it.",
    ),
    "trec_minilm": (
        "TREC from all-MiniLM-L6-v2 as `--init`, with and without the DBpedia ontology",
        "`configs/trec_minilm.yaml`: the same facts for a pre-trained encoder.",
    ),
    "chnsenticorp_pretrained": (
        "ChnSentiCorp from the Chinese encoder above, and from scratch, no graph",
        "`configs/chnsenticorp_pretrained.yaml`: the same sizes, vocabulary and settings in both;"
        " texts are cut to 128 tokens.",
    ),
    "medical_ner_pretrained": (
        "Medical NER from the Chinese encoder above, and from scratch, no graph",
        "`configs/medical_ner_pretrained.yaml`: the same sizes, vocabulary and settings in both.",
    ),
    "drcd_pretrained": (
        "DRCD, extractive question answering, from the Chinese encoder above",
        "`configs/drcd_pretrained.yaml`: trained on the 3,524 questions of the development set, so"
        " that this shows that all of it works, and no more.",
    ),
}


def results(folder: Path = RESULTS) -> str:
    """Render every result file of a folder as Markdown."""
    parts = [_injection(_read(folder, "injection")), _step(_read(folder, "finetune_step"))]
    parts.append(_data(_read(folder, "pretraining_data")))
    has_gpu = (folder / f"{_ON_GPU}.json").exists()
    parts.append(_pretraining(_read(folder, "pretraining_step"), has_gpu=has_gpu))
    if has_gpu:
        parts.append(_pretraining_on_gpu(_read(folder, _ON_GPU)))
    parts.append(_scale(_read(folder, "graph_scale")))
    parts.append(small_berts({name: _read(folder, f"pretraining_{name}") for name in LANGUAGES}))
    parts += [_quality(name, _read(folder, f"quality_{name}")) for name in _TITLES]
    parts.append(_ranking(_read(folder, "ranking_speed"), _read(folder, "kgbert_exactness")))
    if (folder / f"{_RANKING_ON_GPU}.json").exists():
        parts.append(_ranking_on_gpu(_read(folder, _RANKING_ON_GPU)))
    parts.append(_scoring(_read(folder, "scoring")))
    names = [name for name in QUALITY if (folder / f"kgbert_{name}.json").exists()]
    if names:
        parts.append(_triples({name: _read(folder, f"kgbert_{name}") for name in names}))
    return "\n\n".join(parts)


def _read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_bytes())
    return content


def _source(content: Mapping[str, Any], name: str) -> str:
    made = content["environment"]
    return (
        f"(`{made['command']}`, {made['cores']} cores of {made['cpu']}, torch"
        f" {made['versions']['torch']}; [`{name}.json`](benchmarks/results/{name}.json))"
    )


def _injection(content: Mapping[str, Any]) -> str:
    rows = [["sentences a second, one core", "first pass", "naive version", "ours is faster by"]]
    for name, found in content["corpora"].items():
        rates, times = found["sentences_per_second"], found["times_naive"]
        cells = [f"{rates[k]['median']:,.0f}" for k in ("first pass", "naive")]
        rows.append([f"HowNet into {name}", *cells, f"{times['median']:.1f}"])
    quoted = content["original_quoted"]["sentences_per_second"]
    chn = content["corpora"]["chnsenticorp"]
    stages = ", ".join(f"{k} {v:.0f}" for k, v in chn["microseconds_per_sentence"].items())
    return (
        f"**From raw text to finished sentence tree** {_source(content, 'injection')}\n\n"
        f"{table(rows)}\n\n"
        f"The original is quoted at about {quoted} a second on such a core (not measured here);"
        f" ours on ChnSentiCorp is {chn['times_quoted_original']:.0f} times that. Where the time"
        f" goes, in µs a sentence: {stages}. The naive version looks up every substring in a"
        " dictionary, where the original runs a segmenter, and builds a dense matrix for each"
        " sentence, as the original does."
    )


def _step(content: Mapping[str, Any]) -> str:
    rows = [["real tokens a second, training", "fp32", "bf16"]]
    precisions = content["precisions"]
    for way in next(iter(precisions.values()))["tokens_per_second"]:
        cells = []
        for precision in ("fp32", "bf16"):
            found = precisions[precision]
            times = found["times"].get(way)
            rate = f"{found['tokens_per_second'][way]['median']:,.0f}"
            cells.append(rate if times is None else f"{rate} (ours ×{times['median']:.1f})")
        padding = content["ways"][way]["padding_share"]
        rows.append([f"{way}, {padding:.0%} padding", *cells])
    sizes = content["sizes"]
    return (
        f"**A fine-tuning step** {_source(content, 'finetune_step')}\n\n{table(rows)}\n\n"
        f"ChnSentiCorp with HowNet, {sizes['layers']} layers of width {sizes['width']};"
        " forward, backward, clipping and AdamW, in alternating rounds."
    )


def _data(content: Mapping[str, Any]) -> str:
    plan, version = content["planning"], content["environment"]["versions"]["transformers"]
    cut = [cell["cut_share"] for cell in content["cells"] if cell["relation"] == "nsp"]
    return (
        f"**Batches of pre-training** {_source(content, 'pretraining_data')}\n\n"
        f"{data_table(content)}\n\n"
        "From the corpus on disk to masked, packed tensors, planning included, in seconds of the"
        f" processor; the collator is `DataCollatorForLanguageModeling` of transformers {version},"
        " in the faster of its two kinds, reading the same sequences, for pieces (it has no"
        f" 80/10/10 for words, and no spans). nsp cuts {min(cut):.0%} to {max(cut):.0%} of its"
        f" tokens so that pairs fit; none cuts nothing. Planning an epoch of"
        f" {plan['sequences']:,} sequences takes {plan['microseconds_per_sequence']:.1f} µs and"
        f" {plan['bytes_per_sequence']:.0f} bytes each."
    )


def _pretraining(content: Mapping[str, Any], *, has_gpu: bool) -> str:
    clock = " Seconds are the processor's." if content["clock"] == "processor" else ""
    gpu = " `--device cuda` compares BERT-base on a GPU; it has not run yet."
    missing = "" if has_gpu else gpu
    return (
        f"**A pre-training step** {_source(content, 'pretraining_step')}\n\n"
        f"{step_tables(content)}\n\n"
        "Forward, backward, clipping and AdamW on the same masked sequences from the same weights,"
        " with losses that were checked to be the same; in brackets, how many times transformers'"
        f" rate, in alternating rounds.{clock} `ours, its batches` decodes only what is to be"
        f" predicted; `ours` packs rows as well.{missing}"
    )


def _pretraining_on_gpu(content: Mapping[str, Any]) -> str:
    gpu = content["environment"].get("gpu", "a GPU")
    return (
        f"**A pre-training step on {gpu}** {_source(content, _ON_GPU)}\n\n"
        f"{step_tables(content)}\n\n"
        "As above, compiled. MFU counts real tokens and predicted places alone, for both alike."
    )


def _scale(content: Mapping[str, Any]) -> str:
    sizes, build, linking = content["sizes"], content["build"], content["linking"]
    texts, named = linking["texts_per_s"], linking["build"]
    return (
        f"**Graphs at scale** {_source(content, 'graph_scale')}\n\n{render(content)}\n\n"
        f"A synthetic graph over {sizes['heads']:,} heads; look-ups ask for the first two facts of"
        " random heads; what is less than the whole graph is what that library can bear. Memory is"
        " what the process shares with no other; for the compiled graph all of a worker's, Python"
        f" included. Compiling takes {build['seconds']:.0f} s and at most"
        f" {build['peak_bytes'] / 1e6:,.0f} MB, from {build['source_bytes'] / 1e6:,.0f} MB of text"
        f" to {build['folder_bytes'] / 1e6:,.0f} MB. Names of a second graph, {linking['names']:,}"
        f" of them, are found in {texts['median']:,.0f} texts of"
        f" {linking['characters'] / linking['texts']:.0f} characters a second on one core; that"
        f" graph opens in {1000 * linking['store_open_s']['median']:.0f} ms, checksums of"
        f" {named['folder_bytes'] / 1e6:,.0f} MB included, and its index in"
        f" {1000 * linking['index_open_s']['median']:.1f} ms more. Compiling it takes"
        f" {named['seconds']:.0f} s and at most {named['peak_bytes'] / 1e6:,.0f} MB."
    )


def _quality(name: str, content: Mapping[str, Any]) -> str:
    title, note = _TITLES[name]
    arms = content["summary"]
    first = next(iter(arms.values()))
    metrics = list(first["test"])
    rows = [["test set", *(metric.replace("_", " ") for metric in metrics), "seeds"]]
    for arm, found in arms.items():
        scores = [_percent(found["test"][metric]) for metric in metrics]
        rows.append([arm, *scores, str(len(found["seeds"]))])
    if first["test_majority"] is not None:
        share = f"{100 * first['test_majority']:.1f}"
        rows.append(["(commonest label)", share, *[""] * len(metrics)])
    text = f"**{title}** {_source(content, f'quality_{name}')}\n\n{table(rows)}\n\n{note}"
    if name != "sample":  # the others shared the machine; their seconds say little
        return text + _gains(arms)
    seconds = [f"{arm} {found['seconds']['mean']:.0f}" for arm, found in arms.items()]
    return f"{text} Seconds a run, all included, on one thread: {', '.join(seconds)}."


def _ranking(content: Mapping[str, Any], exact: Mapping[str, Any]) -> str:
    return (
        f"**Exact filtered ranking, KG-BERT** {_source(content, 'ranking_speed')}\n\n"
        f"{ranking_tables(content)}\n\n"
        "Each way adds a step to the one above; the original's tokenises every candidate for every"
        " query, pads, and goes in the data's order. all-MiniLM-L6-v2 as fine-tuned on UMLS, one"
        f" core, seconds of the processor.\n\n{exactness(exact)}"
        " ([`kgbert_exactness.json`](benchmarks/results/kgbert_exactness.json))"
    )


def _ranking_on_gpu(content: Mapping[str, Any]) -> str:
    return (
        f"**Exact filtered ranking on {content['environment'].get('gpu', 'a GPU')}**"
        f" {_source(content, _RANKING_ON_GPU)}\n\n{ranking_on_gpu(content)}"
    )


def _scoring(content: Mapping[str, Any]) -> str:
    return f"**Scoring triples** {_source(content, 'scoring')}\n\n{scoring_table(content)}"


def _triples(found: Mapping[str, Mapping[str, Any]]) -> str:
    files = ", ".join(f"[`kgbert_{n}.json`](benchmarks/results/kgbert_{n}.json)" for n in found)
    return (
        f"**KG-BERT on public data sets** (`python -m benchmarks.kgbert_quality`; {files})\n\n"
        f"{quality_table(found)}\n\n"
        "Filtered ranks, realistic ties, all candidates. A triple counts as true from a probability"
        " of 0.5 on, as in the paper, or by thresholds chosen on dev: one (global), or one for each"
        " relation. The encoder has 6 layers of width 384, the paper's (Yao et al. 2019) 12 of"
        " 768; where training took a part of the triples, that is all that it saw."
    )


def _gains(arms: Mapping[str, Any]) -> str:
    """Say what each arm adds to the one that is the base, in points of the first metric."""
    said = ""
    for arm, found in arms.items():
        key = next(key for key in found if key.startswith(_GAIN))
        if gain := found[key]:
            base = key.removeprefix(_GAIN)
            metric, points = next(iter(gain.items()))
            sign = "+" if points["mean"] >= 0 else "−"
            size = _percent({**points, "mean": abs(points["mean"])})
            said += f" Seed by seed, {arm} against {base}: {sign}{size} points of {metric}."
    return said


def _percent(score: Mapping[str, float]) -> str:
    sd = score["sd"]
    mean = f"{100 * score['mean']:.1f}"
    return mean if sd is None else f"{mean} ± {100 * sd:.1f}"


def insert(readme: str, section: str) -> str:
    """Put a section between the marks. Raises `ValueError` where there are none."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def main() -> int:
    """Rewrite the section; return the exit status."""
    readme = REPOSITORY / "README.md"
    text = insert(readme.read_text(encoding="utf-8"), results())
    readme.write_text(text, encoding="utf-8")
    print("README.md: results written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
