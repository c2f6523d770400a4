"""Write the packaged sample task, `kbert/sample/{train,dev,test}.tsv`.

A sentence mentions one person of the packaged graph; its label is the person's field, which only
the graph's 职业 triple tells. Every field has as many persons, and every sentence pattern serves
all fields alike, so a pattern says nothing about the label. Persons of the three splits are
disjoint. Calligraphers are left out: there are few, all of one country, so their names would tell.
The result is a function of the graph and of the seed below.
"""

from __future__ import annotations

import argparse
import random
from importlib import resources
from pathlib import Path

from graphs import TripleStore

FIELDS = {
    "科学": ("物理学家", "化学家", "数学家", "生物学家", "天文学家"),
    "文学": ("诗人", "小说家", "剧作家", "散文家"),
    "美术": ("画家", "雕塑家"),
    "音乐": ("作曲家", "钢琴家", "指挥家", "歌唱家"),
}
PATTERNS = (
    "昨天晚上我读了一篇介绍{}的文章。",
    "老师在课堂上提到了{}的名字。",
    "这部纪录片讲的是{}的一生。",
    "很多年轻人把{}当作榜样。",
    "他从小就十分敬佩{}。",
    "图书馆里有不少关于{}的资料。",
    "我们在展览上了解了{}的生平。",
    "今年是纪念{}的日子。",
    "她正在准备一场关于{}的演讲。",
    "你听说过{}吗？",
    "朋友送来的生日礼物是{}的传记。",
    "报纸用整版的篇幅介绍了{}。",
    "提起{}，大家都会竖起大拇指。",
    "孩子们对{}的故事很感兴趣。",
    "那座城市的广场上立着{}的塑像。",
    "{}对后人的影响一直延续到今天。",
    "{}的成就得到了广泛的认可。",
    "{}的名字早已家喻户晓。",
    "很少有人知道{}早年的经历。",
    "这条街道以{}的名字命名。",
)
SHARES = {"train": (88, 6), "dev": (11, 4), "test": (30, 4)}  # persons a field, sentences each
SEED = 20


def persons_by_field(store: TripleStore) -> dict[str, list[str]]:
    """List the persons of each field, in the order of the graph."""
    field_of = {job: field for field, jobs in FIELDS.items() for job in jobs}
    found: dict[str, list[str]] = {field: [] for field in FIELDS}
    for head, relation, tail in store:
        if relation == "职业" and tail in field_of:
            found[field_of[tail]].append(head)
    return found


def make(store: TripleStore) -> dict[str, list[tuple[str, str]]]:
    """Draw the splits: rows of (label, sentence)."""
    draw = random.Random(SEED)
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in SHARES}
    for field, persons in persons_by_field(store).items():
        draw.shuffle(persons)
        start = 0
        for split, (count, sentences) in SHARES.items():
            for person in persons[start : start + count]:
                for pattern in draw.sample(PATTERNS, sentences):
                    rows[split].append((field, pattern.format(person)))
            start += count
    for content in rows.values():
        draw.shuffle(content)
    return rows


def text_of(rows: list[tuple[str, str]]) -> str:
    """Spell rows as K-BERT's files are: a header, then label TAB text."""
    return "".join(f"{label}\t{text}\n" for label, text in [("label", "text_a"), *rows])


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("kbert/sample"), metavar="FOLDER")
    options = parser.parse_args()
    with resources.as_file(resources.files("graphs.sample") / "cn_dbpedia.spo") as file:
        rows = make(TripleStore.open(file))
    for split, content in rows.items():
        target = options.output / f"{split}.tsv"
        target.write_text(text_of(content), encoding="utf-8")
        print(f"{target}: {len(content)} sentences")


if __name__ == "__main__":
    main()
