"""Find out why facts are not in a sentence tree: the steps of `kbert.inject`, budget by budget.

What is in the tree is taken from the tree. A mention may itself be at fault (its text was cut, it
was named before), then a fact (its policy, the budget of its mention), then the budgets that all
share, in the order in which they are used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from graphs import Fact, Mention, Triple, TripleStore
from graphs.selection import ByRelation, PerRelation, Policy, first_kept
from kbert.account import Candidate, FactAccount, MentionAccount
from kbert.inject import Injector
from kbert.tree import NOWHERE, Branch, Node, SentenceTree

_LISTED: Final = 24  # facts of a mention that are listed one by one
_ORDERED: Final = 1000  # facts that a policy is asked for, to tell which it leaves out
_CANDIDATES: Final = 12


class Accountant:
    """Walk through the mentions of a tree in its order, and count what it holds so far."""

    def __init__(self, inject: Injector, tree: SentenceTree) -> None:
        """Take the tree that `inject` made."""
        self._inject = inject
        self._tree = tree
        self._nodes = list(tree.nodes)
        self._kept = 0
        self._named: set[str] = set()

    def mentions(self) -> Iterator[MentionAccount]:
        """Account for each mention, once."""
        tree = self._tree
        for segment, text in enumerate(
            (tree.text,) if tree.pair is None else (tree.text, tree.pair)
        ):
            before = 0
            for mention in self._inject.index.find(text):
                yield self._mention(mention, text=text, segment=segment, before=before)
                before = mention.end

    def _mention(self, mention: Mention, *, text: str, segment: int, before: int) -> MentionAccount:
        store = self._inject.store
        start, end, entity = mention
        node = self._node(mention, segment=segment)
        reason = "" if node else self._own_fault(mention, segment=segment, before=before)
        facts = tuple(self._facts(entity, text=text, node=node, reason=reason))
        self._named.add(entity)
        bearers = self._inject.index.candidates(text[start:end])
        return MentionAccount(
            segment=segment,
            start=start,
            end=end,
            name=text[start:end],
            entity=entity,
            title=store.name_of(entity) or entity,
            candidates=tuple(Candidate(one, store.degree(one)) for one in bearers[:_CANDIDATES]),
            bearers=len(bearers),
            node=node,
            facts=facts,
            unlisted=max(0, store.degree(entity) - len(facts)),
            reason=reason,
        )

    def _node(self, mention: Mention, *, segment: int) -> Node | None:
        """Take the next node of the tree if it is this mention's."""
        if not self._nodes:
            return None
        node, tree = self._nodes[0], self._tree
        same = node.entity == mention.entity and tree.segments[node.start] == segment
        first, last = tree.starts[node.start], tree.ends[node.stop - 1]
        return self._nodes.pop(0) if same and first < mention.end and last > mention.start else None

    def _own_fault(self, mention: Mention, *, segment: int, before: int) -> str:
        tree = self._tree
        spans = [
            (start, end)
            for start, end, where in zip(tree.starts, tree.ends, tree.segments, strict=True)
            if where == segment and start != NOWHERE
        ]
        if tree.cut and (not spans or mention.end > spans[-1][1]):
            return f"the text is cut before its end (--max-length {self._inject.max_length})"
        own = [start for start, end in spans if start < mention.end and end > mention.start]
        if not own:
            return "no piece of the text is its own"
        if own[-1] < before:
            return "its piece belongs to the mention before"
        if not self._inject.repeat_mentions and mention.entity in self._named:
            return "it was named before (--no-repeat-mentions)"
        return ""

    def _facts(
        self, entity: str, *, text: str, node: Node | None, reason: str
    ) -> Iterator[FactAccount]:
        context = text if self._inject.policy.contextual else ""
        branches = list(node.branches) if node else []
        listed = set()
        for fact, said, tokens in self._chosen(entity, text=context):
            listed.add(fact)
            is_next = bool(branches) and branches[0].fact == said and _size(branches[0]) == tokens
            branch = branches.pop(0) if is_next else None
            why = "" if branch else reason or self._budget()
            self._kept += branch is not None
            yield FactAccount(Triple(entity, *fact), said, tokens, branch, why)
        ordered = self._inject.policy.facts(entity, limit=_ORDERED, text=context)
        stated = self._inject.store.facts(entity, limit=_LISTED)
        others = [
            fact for fact in dict.fromkeys([*ordered[:_LISTED], *stated]) if fact not in listed
        ]
        for fact in others[: max(0, _LISTED - len(listed))]:
            yield self._left_out(entity, fact, ordered)

    def _chosen(self, entity: str, *, text: str) -> list[tuple[Fact, Fact, int]]:
        """Return the facts that the injector takes: as they are, in words, and their lengths."""

        def convert(fact: Fact) -> tuple[Fact, Fact, int] | None:
            branch = self._inject.branch(fact)
            return None if branch is None else (fact, branch[0], len(branch[1]))

        inject = self._inject
        return first_kept(convert, entity, policy=inject.policy, limit=inject.max_facts, text=text)

    def _budget(self) -> str:
        """Say which budget of the sentence a fact that was chosen did not fit into."""
        inject = self._inject
        if self._kept >= inject.max_branches:
            return f"the sentence's budget is used up (--max-branches {inject.max_branches})"
        if inject.max_fact_share < 1:
            share, length = inject.max_fact_share, inject.max_length
            return f"too long for what is left (--max-fact-share {share:g}, --max-length {length})"
        return f"too long for what is left of the sequence (--max-length {inject.max_length})"

    def _left_out(self, entity: str, fact: Fact, ordered: Sequence[Fact]) -> FactAccount:
        inject = self._inject
        said, branch = inject.store.readable(fact), inject.branch(fact)
        why = "" if fact in ordered else _why_not(inject.policy, fact, inject.store)
        if not why and fact not in ordered and len(ordered) < _ORDERED:
            why = f"the policy leaves it out ({inject.policy.describe()})"
        if not why and branch is None:
            why = "it has no token"
        if not why:
            why = f"beyond the mention's budget (--max-facts {inject.max_facts})"
        tokens = 0 if branch is None else len(branch[1])
        words = said or Fact(inject.store.relation_name(fact.relation), fact.tail)
        return FactAccount(Triple(entity, *fact), words, tokens, None, why)


def _size(branch: Branch) -> int:
    return branch.stop - branch.start


def _why_not(policy: Policy, fact: Fact, store: TripleStore) -> str:
    """Say which part of a policy leaves a fact out, as far as that can be told; else `""`."""
    if store.readable(fact) is None:
        return "it only names the entity, or has no words in a wanted language"
    part: object = policy
    repeats = 0
    while part is not None:
        if isinstance(part, ByRelation) and fact.relation in part.deny:
            return "its relation is denied (--deny-relations)"
        if isinstance(part, ByRelation) and part.allow and fact.relation not in part.allow:
            return "its relation is not allowed (--allow-relations)"
        if isinstance(part, PerRelation):
            repeats = part.limit
        part = getattr(part, "policy", None)
    return f"enough facts of its relation (--max-per-relation {repeats})" if repeats else ""
