"""What an import of words would do to a project: what is added, what changes, what stays; nothing is ever deleted.

Codes and training types never change, the order of classes only grows, and so does that of categories that a model was
trained with: whatever contradicts that is a fault, with its line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from projects_app.models import (
    AnnotationType,
    Category,
    Colour,
    DataCategory,
    ModelType,
    ModelTypeClass,
    Project,
    TrainingType,
)
from projects_app.words import order, uses
from projects_app.words.plans import ADDED, CHANGED, SAME, Change, Moved, Plan
from projects_app.words.reading import Entry, Fault, Refused, Words


def plan(project: Project, words: Words) -> Plan:
    """Raises Refused, with the lines of the file that contradict what is there."""
    making = _Planning(project)
    making.labels(words.labels)
    making.data_categories(words.data_categories)
    making.model_types(words.model_types)
    if making.faults:
        raise Refused(sorted(making.faults, key=lambda one: one.line))
    return making.plan


def apply(project: Project, words: Words, fingerprint: str) -> Plan:
    """Do what the preview with this fingerprint showed, all or nothing. Raises Moved, Refused."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # one import at a time
        found = plan(project, words)
        if found.fingerprint != fingerprint:
            raise Moved(found)
        for step in found.steps:
            step()
    return found


class _Planning:
    def __init__(self, project: Project) -> None:
        self.project, self.plan, self.faults = project, Plan(), list[Fault]()
        self.known = {one.code: one for one in order.labels(project)}
        self.new: dict[str, str] = {}  # training types of labels that the file adds

    # --- annotation types ---

    def labels(self, entries: list[Entry]) -> None:
        what = _("annotation type")
        for entry in entries:
            row = self.known.get(entry.code)
            if row is None:
                self._new_label(entry, what)
            elif self._same_type(entry, row):
                details = [*self._plain(row, entry), *self._categories(row, entry)]
                self._tell(what, entry.code, details)
        self._place(what, list(self.known.values()), entries, lambda: list(order.labels(self.project)))

    def _new_label(self, entry: Entry, what: str) -> None:
        if entry.training_type is None:
            self._fault(entry.line, _("“%(code)s” is new: it needs a “training_type”.") % {"code": entry.code})
            return
        categories = entry.categories or []
        if categories and entry.training_type != TrainingType.CL:
            self._fault(entry.line, _("“%(code)s”: only a classification has categories.") % {"code": entry.code})
        self.new[entry.code] = entry.training_type
        details = [*_told(entry), str(TrainingType(entry.training_type).label)]
        if categories:
            details.append(", ".join(one.code for one in categories))
        self.plan.changes.append(Change(ADDED, what, entry.code, tuple(details)))

        def make() -> None:
            label = AnnotationType.objects.create(
                project=self.project, code=entry.code, training_type=str(entry.training_type), **_given(entry)
            )
            for position, one in enumerate(categories):
                Category.objects.create(annotation_type=label, code=one.code, position=position, **_given(one))

        self.plan.steps.append(make)

    def _categories(self, label: AnnotationType, entry: Entry) -> list[str]:
        """What becomes of the categories of a known question, in words."""
        if entry.categories is None:
            return []
        if label.training_type != TrainingType.CL and entry.categories:
            self._fault(entry.line, _("“%(code)s”: only a classification has categories.") % {"code": entry.code})
            return []
        rows = {one.code: one for one in label.categories.order_by("position", "pk")}
        details = []
        for one in entry.categories:
            if row := rows.get(one.code):
                details += [f"{one.code}: {detail}" for detail in self._plain(row, one)]
        added = [one for one in entry.categories if one.code not in rows]
        if added:
            details.append(_("new categories: %(codes)s") % {"codes": ", ".join(one.code for one in added)})
        wanted = self._category_order(label, entry, list(rows))
        if [code for code in wanted if code in rows] != list(rows):
            details.append(_("order: %(codes)s") % {"codes": ", ".join(wanted)})

        def make() -> None:
            for one in added:
                made = Category(annotation_type=label, code=one.code, position=len(rows), **_given(one))
                made.save()
                rows[one.code] = made
            order.place([rows[code] for code in wanted])

        self.plan.steps.append(make)
        return details

    def _category_order(self, label: AnnotationType, entry: Entry, there: list[str]) -> list[str]:
        """As `_in_order` says; where models were trained, new ones behind all that are there."""
        listed = [one.code for one in entry.categories or []]
        if not (trained := uses.learnt_by(label)):
            return _in_order(listed, there)
        self._only_grows(
            [(one.line, one.code) for one in entry.categories or []],
            there,
            _("The categories of “%(code)s” keep their order, as “%(model)s” was trained with it; new ones go behind.")
            % {"code": label.code, "model": trained[0].name},
        )
        return there + [code for code in listed if code not in there]

    # --- data categories ---

    def data_categories(self, entries: list[Entry]) -> None:
        what, rows = _("data category"), {one.code: one for one in order.data_categories(self.project)}
        for entry in entries:
            if row := rows.get(entry.code):
                self._tell(what, entry.code, self._plain(row, entry))
                continue
            self.plan.changes.append(Change(ADDED, what, entry.code, tuple(_told(entry))))
            self.plan.steps.append(lambda entry=entry: self._make_data_category(entry))  # type: ignore[misc]
        self._place(what, list(rows.values()), entries, lambda: list(order.data_categories(self.project)))

    def _make_data_category(self, entry: Entry) -> None:
        DataCategory.objects.create(project=self.project, code=entry.code, **_given(entry))

    # --- model types ---

    def model_types(self, entries: list[Entry]) -> None:
        what, rows = _("model type"), {one.code: one for one in order.model_types(self.project)}
        for entry in entries:
            row = rows.get(entry.code)
            if row is None:
                self._new_model_type(entry, what)
            elif self._same_type(entry, row):
                self._tell(what, entry.code, [*self._plain(row, entry), *self._grow(row, entry)])
        self._place(what, list(rows.values()), entries, lambda: list(order.model_types(self.project)))

    def _new_model_type(self, entry: Entry, what: str) -> None:
        if entry.training_type is None:
            self._fault(entry.line, _("“%(code)s” is new: it needs a “training_type”.") % {"code": entry.code})
            return
        if not entry.learns:
            text = _("“%(code)s” is new: “learns” must name at least one annotation type.")
            self._fault(entry.line, text % {"code": entry.code})
            return
        learns = self._learnable(entry, entry.training_type)
        kind = str(TrainingType(entry.training_type).label)
        details = [*_told(entry), kind, _("learns %(codes)s") % {"codes": ", ".join(learns)}]
        self.plan.changes.append(Change(ADDED, what, entry.code, tuple(details)))

        def make() -> None:
            name = _given(entry)["name"]
            kind = str(entry.training_type)
            made = ModelType.objects.create(project=self.project, code=entry.code, name=name, training_type=kind)
            self._learn(made, learns, 0)

        self.plan.steps.append(make)

    def _grow(self, row: ModelType, entry: Entry) -> list[str]:
        """What a known model type learns in addition, in words."""
        if entry.learns is None:
            return []
        there = list(row.ordered_annotation_types().values_list("code", flat=True))
        text = _("What “%(code)s” learns keeps its order, which only grows: new ones go behind.") % {"code": row.code}
        self._only_grows(entry.learns, there, text)
        new = [code for code in self._learnable(entry, row.training_type, there) if code not in there]
        if not new:
            return []
        self.plan.steps.append(lambda: self._learn(row, new, len(there)))
        return [_("learns %(codes)s too") % {"codes": ", ".join(new)}]

    def _learnable(self, entry: Entry, kind: str, there: Sequence[str] = ()) -> list[str]:
        """The codes that it names, each once; those that cannot be are faults."""
        found: list[str] = []
        for line, code in entry.learns or []:
            own = self.known[code].training_type if code in self.known else self.new.get(code)
            if own is None:
                self._fault(line, _("There is no annotation type “%(label)s”.") % {"label": code[:128]})
            elif own != kind:
                text = _("“%(label)s” is a label of %(own)s, and “%(code)s” learns %(kind)s.")
                kinds = {"own": TrainingType(own).label, "kind": TrainingType(kind).label}
                self._fault(line, text % ({"label": code, "code": entry.code} | kinds))
            elif code in found:
                self._fault(line, _("“%(label)s” stands there twice.") % {"label": code})
            else:
                found.append(code)
        if kind == TrainingType.CL and len({*found, *there}) > 1:
            text = _("“%(code)s”: a classification answers one question, and learns one annotation type.")
            self._fault(entry.line, text % {"code": entry.code})
        return found

    def _learn(self, row: ModelType, codes: list[str], start: int) -> None:
        labels = {one.code: one for one in AnnotationType.objects.filter(project=self.project, code__in=codes)}
        for position, code in enumerate(codes, start):
            ModelTypeClass.objects.create(model_type=row, annotation_type=labels[code], position=position)

    # --- what they share ---

    def _plain(self, row: Any, entry: Entry) -> list[str]:
        """Name and colour, in words; writes them when the plan is applied."""
        new: dict[str, str] = {}
        details = []
        if entry.name is not None and entry.name != row.name:
            new["name"] = entry.name
            details.append(_("name: “%(old)s” → “%(new)s”") % {"old": row.name, "new": entry.name})
        if entry.colour is not None and hasattr(row, "colour") and entry.colour != row.colour:
            new["colour"] = entry.colour
            details.append(_("colour: %(old)s → %(new)s") % {"old": _colour(row.colour), "new": _colour(entry.colour)})
        if new:
            self.plan.steps.append(lambda: _update(row, new))
        return details

    def _same_type(self, entry: Entry, row: Any) -> bool:
        if entry.training_type in (None, row.training_type):
            return True
        text = _("“%(code)s” is of %(own)s here, which cannot change. Choose another code.")
        self._fault(entry.line, text % {"code": entry.code, "own": row.get_training_type_display()})
        return False

    def _only_grows(self, named: Sequence[tuple[int, str]], there: list[str], text: str) -> None:
        """A fault at the first that stands before one that was there before it."""
        highest = -1
        for line, code in named:
            at = there.index(code) if code in there else len(there)
            if at < highest:
                self._fault(line, text)
                return
            highest = max(highest, at)

    def _tell(self, what: str, code: str, details: list[str]) -> None:
        self.plan.changes.append(Change(CHANGED if details else SAME, what, code, tuple(details)))

    def _place(self, what: str, rows: list[Any], entries: list[Entry], there: Callable[[], list[Any]]) -> None:
        """As `_in_order` says."""
        groups: dict[str, tuple[list[str], list[str]]] = {}  # annotation types have an order for each training type
        known = {row.code: _group(row) for row in rows}
        for row in rows:
            groups.setdefault(known[row.code], ([], []))[1].append(row.code)
        for entry in entries:
            group = known.get(entry.code, (entry.training_type or "") if any(known.values()) else "")
            groups.setdefault(group, ([], []))[0].append(entry.code)
        wanted, moved = list[str](), list[str]()
        for listed, stands in groups.values():
            wanted += (order_now := _in_order(listed, stands))
            if [code for code in order_now if code in known] != stands:
                moved += [code for code in order_now if code in known and code in listed]
        if moved:
            self.plan.changes.append(Change(CHANGED, what, _("order"), (", ".join(moved[:20]),)))
        names = {entry.code for entry in entries}
        self.plan.kept += [(what, row.code) for row in rows if row.code not in names]
        if moved or not names <= set(known):
            self.plan.steps.append(lambda: order.place(sorted(there(), key=lambda row: wanted.index(row.code))))

    def _fault(self, line: int, text: str) -> None:
        self.faults.append(Fault(line, text))


def _group(row: Any) -> str:
    return str(row.training_type) if isinstance(row, AnnotationType) else ""


def _in_order(listed: list[str], there: list[str]) -> list[str]:
    """As the file lists them, where it names all that are there. Else new ones go behind what is there, of which those
    that the file names in another order come first."""
    named, new = [code for code in listed if code in there], [code for code in listed if code not in there]
    if len(named) == len(there):
        return listed
    if named == [code for code in there if code in named]:
        return there + new
    return [*named, *(code for code in there if code not in named), *new]


def _given(entry: Entry) -> dict[str, Any]:
    """Of a new row: its code is its name where none is given."""
    found: dict[str, Any] = {"name": entry.name or entry.code}
    return found | ({"colour": entry.colour} if entry.colour else {})


def _told(entry: Entry) -> list[str]:
    """Name and colour of a new row, in words."""
    name = [f"“{entry.name}”"] if entry.name and entry.name != entry.code else []
    return name + ([_colour(entry.colour)] if entry.colour else [])


def _update(row: Any, new: dict[str, str]) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(**new)


def _colour(value: str) -> str:
    return str(Colour(value).label) if value else _("automatic")
