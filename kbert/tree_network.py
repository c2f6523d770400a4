"""A sentence tree as a graph of networkx: a node for the sentence, each mention and each fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphs.networks import labelled_tree

if TYPE_CHECKING:
    import networkx

    from kbert.tree import SentenceTree


def network_of(tree: SentenceTree) -> networkx.DiGraph:
    """Return the graph that `SentenceTree.to_networkx` describes."""
    nodes: list[tuple[int, dict[str, Any]]] = [
        (0, {"kind": "sentence", "text": tree.text, "pair": tree.pair})
    ]
    edges = []
    for node in tree.nodes:
        parent = len(nodes)
        place = {"start": node.start, "stop": node.stop, "soft": tree.soft_positions[node.start]}
        nodes.append((parent, {"kind": "mention", "entity": node.entity, **place}))
        edges.append((0, parent))
        for fact, start, stop in node.branches:
            edges.append((parent, len(nodes)))
            place = {"start": start, "stop": stop, "soft": tree.soft_positions[start]}
            said = {"relation": fact.relation, "tail": fact.tail}
            nodes.append((len(nodes), {"kind": "fact", **said, **place}))
    return labelled_tree(nodes, edges)
