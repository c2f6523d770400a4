"""Mistakes in the flags and recipes of `python -m kbert.train`."""

from __future__ import annotations

from typing import Final

from tests.mistakes.place import Mistake

_TRAIN: Final = "kbert.train --data data --output new"
_RECIPE: Final = f"{_TRAIN} --config r.yaml"
_INIT: Final = f"{_TRAIN} --init pretrained"

_FLAGS: Final = (
    Mistake(
        what="a flag that is mistyped",
        line=f"{_TRAIN} --epoch 3",
        says="unrecognized arguments: --epoch 3; did you mean '--epochs'? (see python -m"
        " kbert.train --help)",
    ),
    Mistake(
        what="a task that is mistyped",
        line=f"{_TRAIN} --task clasification",
        says="argument --task: invalid choice: 'clasification' (choose from 'classification',"
        " 'pair', 'tagging', 'qa'); did you mean 'classification'? (see python -m"
        " kbert.train --help)",
    ),
    Mistake(
        what="words for a number",
        line=f"{_TRAIN} --epochs three",
        says="argument --epochs: invalid int value: 'three' (see python -m kbert.train --help)",
    ),
    Mistake(
        what="a huge number",
        line=f"{_TRAIN} --epochs {10**23}",
        says="--epochs must be between 1 and 100000, was 100000000000000000000000",
    ),
    Mistake(
        what="a negative number",
        line=f"{_TRAIN} --learning-rate -1",
        says="--learning-rate must be between 0.0 and 100.0, was -1.0",
    ),
    Mistake(
        what="a rate that is no number",
        line=f"{_TRAIN} --learning-rate nan",
        says="--learning-rate must be between 0.0 and 100.0, was nan",
    ),
    Mistake(
        what="a share above 1",
        line=f"{_TRAIN} --warmup 2",
        says="--warmup must be between 0.0 and 1.0, was 2.0",
    ),
    Mistake(
        what="heads that do not divide the width",
        line=f"{_TRAIN} --width 30 --heads 4",
        says="--width must be a multiple of --heads, was 30 with 4 heads",
    ),
    Mistake(
        what="a setting of another task",
        line=f"{_TRAIN} --stride 64",
        says="--stride is for --task qa, not for classification",
    ),
    Mistake(
        what="a setting that --init makes idle",
        line=f"{_INIT} --layers 3",
        says="--layers is for an encoder from scratch; --init pretrained has its own",
    ),
    Mistake(
        what="a GPU that is not there",
        line=f"{_TRAIN} --accelerator gpu",
        says="--accelerator gpu: this machine has no GPU that torch can use",
    ),
    Mistake(
        what="GPUs that are not there",
        line=f"{_TRAIN} --devices 3",
        says="--devices 3: this machine has no GPU; for that many CPU processes say"
        " --accelerator cpu as well",
    ),
    Mistake(
        what="an encoder that no memory holds",
        line=f"{_TRAIN} --layers 512 --width 32768 --heads 1",
        says="an encoder of 2,217,445,490,688 parameters: its weights take"
        " 8,869,781,962,752 bytes, and this machine has…",
    ),
)
_RECIPES: Final = (
    Mistake(
        what="a recipe that is not there",
        line=_RECIPE,
        says="r.yaml: cannot be read: No such file or directory",
    ),
    Mistake(
        what="a folder for a recipe",
        line=f"{_TRAIN} --config data",
        says="data: cannot be read: Is a directory",
    ),
    Mistake(
        what="a setting that is mistyped in a recipe",
        line=_RECIPE,
        files={"r.yaml": "kg: none\nepoch: 3\n"},
        says="r.yaml:2: unknown setting 'epoch'; did you mean epochs?",
    ),
    Mistake(
        what="a setting that stands twice in a recipe",
        line=_RECIPE,
        files={"r.yaml": "epochs: 3\nseed: 1\nepochs: 4\n"},
        says="r.yaml:3: epochs stands in line 1 already",
    ),
    Mistake(
        what="words for a number in a recipe",
        line=_RECIPE,
        files={"r.yaml": "kg: none\nepochs: three\n"},
        says="r.yaml:2: --epochs must be a whole number, was 'three'",
    ),
    Mistake(
        what="a number out of range in a recipe",
        line=_RECIPE,
        files={"r.yaml": "dropout: .nan\n"},
        says="r.yaml:1: --dropout must be between 0.0 and 0.999, was nan",
    ),
    Mistake(
        what="a list for a recipe",
        line=_RECIPE,
        files={"r.yaml": "- epochs\n"},
        says="r.yaml: a recipe is a list of `key: value` lines",
    ),
    Mistake(
        what="a recipe that is no YAML",
        line=_RECIPE,
        files={"r.yaml": "kg: none\nepochs: [1\n"},
        says="r.yaml:3: not YAML: expected ',' or ']', but got '<stream end>'",
    ),
    Mistake(
        what="a variable that is not set in a recipe",
        line=_RECIPE,
        files={"r.yaml": "init: ${NO_SUCH_VARIABLE}\n"},
        says="r.yaml: the environment variable NO_SUCH_VARIABLE is not set",
    ),
    Mistake(
        what="the recipe of another command",
        line=f"{_TRAIN} --config judge/config.yaml",
        says="judge/config.yaml:1: unknown setting 'dataset'; did you mean data?",
    ),
)
MISTAKES: Final = (*_FLAGS, *_RECIPES)
