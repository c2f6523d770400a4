"""A run folder of `kgbert.train`: a model that transformers can read, and what training knew.

    config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json   the model
    run.json         task, labels, data with fingerprint, protocol, settings, versions
    config.yaml      the settings again, as a recipe for `--config`
    entities.tsv relations.tsv   ids and texts by number, so triples are scored without the data
    thresholds.json  where triples begin to be called true; not for relation prediction
    metrics.json metrics.csv     figures of the run and of each epoch
    README.md        its model card

The folder appears whole or not at all (`kbert.run.new_run`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kbert.errors import RunError
from kgbert.dataset import KnowledgeData
from kgbert.record import RUN, RunRecord
from kgbert.settings import KnowledgeTrainSettings
from kgbert.stored_thresholds import StoredThresholds
from kgbert.text_tables import read_table, write_table
from kgbert.texts import Texts

if TYPE_CHECKING:
    from kbert.tokenizer import Tokenizer
    from kgbert.network import TripleNetwork
    from kgbert.sequences import Sequences

LABELS: Final = ("false", "true")
ENTITIES: Final = "entities.tsv"
RELATIONS: Final = "relations.tsv"


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """A run folder that was opened; weights are read when they are asked for."""

    folder: Path
    record: RunRecord
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    texts: Texts
    thresholds: StoredThresholds | None

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open what `write_run` wrote. Raises `RunError`."""
        path = Path(folder)
        record = RunRecord.read(path)
        entities, entity_texts = read_table(path / ENTITIES)
        relations, relation_texts = read_table(path / RELATIONS)
        for file, found, wanted in (
            (ENTITIES, len(entities), record.data.entities),
            (RELATIONS, len(relations), record.data.relations),
        ):
            if found != wanted:
                raise RunError(f"{path / file}: damaged: {found} lines, but {wanted} in {RUN}")
        texts = Texts(entity_texts, relation_texts)
        return cls(path, record, entities, relations, texts, StoredThresholds.read(path))

    def network(self) -> TripleNetwork:
        """Load the weights. Raises `CheckpointError`."""
        from kbert.pretrained import check_vocabulary
        from kgbert.network import TripleNetwork

        network = TripleNetwork.from_pretrained(self.folder)
        if network.labels != len(self.record.labels):
            raise RunError(
                f"{self.folder}: damaged: {network.labels} labels in its config.json, but"
                f" {len(self.record.labels)} in {RUN}"
            )
        check_vocabulary(self.tokenizer(), network.encoder.config, folder=self.folder)
        longest, there = self.record.settings.max_length, network.encoder.config.max_positions
        if longest > there:
            raise RunError(
                f"{self.folder}: damaged: sequences of {longest} tokens in {RUN}, but {there}"
                " positions in its config.json"
            )
        return network

    def tokenizer(self) -> Tokenizer:
        """Load the tokeniser. Raises `CheckpointError`."""
        from kbert.tokenizer import Tokenizer

        return Tokenizer.from_pretrained(self.folder)

    def sequences(self) -> Sequences:
        """Lay out the texts of the data that the run was trained on."""
        return sequences_of(self.texts, settings=self.record.settings, tokenizer=self.tokenizer())

    def load_data(self, dataset: str | Path | None = None) -> KnowledgeData:
        """Load the data set again as it was read for the training, or another copy of it.

        Raises `RunError` if it is not the one that the run was trained on, `DataError` and
        `graphs.GraphError` if it cannot be read.
        """
        data = load_dataset(self.record.settings, dataset=dataset)
        self.check_data(data)
        return data

    def check_data(self, data: KnowledgeData) -> None:
        """Refuse a data set that is not the one of the training. Raises `RunError`."""
        known = self.record.data
        if data.fingerprint != known.fingerprint:
            raise RunError(
                f"{data.name}: is not the data that {self.folder} was trained on ({known.name},"
                f" {known.entities:,} entities, {known.train:,} training triples): ids, texts or"
                " triples differ; name that data set with --dataset, or train anew"
            )


def load_dataset(
    settings: KnowledgeTrainSettings, *, dataset: str | Path | None = None
) -> KnowledgeData:
    """Load the data set that settings name, or `dataset` in the same way."""
    from kgbert.data import load_data

    return load_data(
        settings.dataset if dataset is None else dataset,
        texts=settings.texts,
        on_missing=settings.on_missing,
        valid_share=settings.valid_share,
        test_share=settings.test_share,
        seed=settings.split_seed,
        languages=settings.languages,
    )


def sequences_of(
    texts: Texts, *, settings: KnowledgeTrainSettings, tokenizer: Tokenizer
) -> Sequences:
    """Lay out texts as a run with these settings reads them."""
    from kgbert.pieces import Pieces
    from kgbert.sequences import Sequences

    room = Sequences.room_for(max_length=settings.max_length, form=settings.form)
    return Sequences.build(
        entities=Pieces.from_texts(texts.entities, tokenizer=tokenizer, cap=room),
        relations=Pieces.from_texts(texts.relations, tokenizer=tokenizer, cap=room),
        max_length=settings.max_length,
        cls_id=tokenizer.cls_id,
        sep_id=tokenizer.sep_id,
        form=settings.form,
        truncation=settings.truncation,
    )


def write_texts(folder: Path, data: KnowledgeData) -> None:
    """Write `entities.tsv` and `relations.tsv`."""
    write_table(folder / ENTITIES, data.entities, data.texts.entities)
    write_table(folder / RELATIONS, data.relations, data.texts.relations)
