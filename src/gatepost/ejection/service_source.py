"""`gatepost eject Book.service`: the verbs of a resource, written in SQLAlchemy.

What surrounds a verb is not written, because it holds for every service (`services/guarded_verbs.py`): owners,
references, policies, what PostgreSQL refuses.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from gatepost.ejection.ejected import Ejected, check_writable, nothing_to_write, plural_of
from gatepost.ejection.module_source import ModuleSource, Names, call_lines, docstring_lines
from gatepost.ejection.written_types import type_of
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Attribute
from gatepost.models.served_model import ServedModel
from gatepost.services.service import SEAMS, Service
from gatepost.sources import location_of

VERBS = tuple(SEAMS)
"""The verbs, in the order in which they are written."""


CONTRACT = (
    "A verb decides what is done, and writes. What holds for the row is enforced around it, whoever calls it: owner "
    "columns are filled, rows that a body refers to looked up, the policies asked on the row as it was and as it is "
    "written; what PostgreSQL refuses becomes a problem."
)

LIST_DIFFERENCE = "A list that a service writes has no total: `count=true` is refused."


def service_source(
    served: ServedModel,
    service: type[Service[Any]] | None,
    verbs: Collection[str] = (),
    *,
    of_app: type[Service[Any]] | None = None,
) -> Ejected:
    """The service of a resource: those of the `verbs`, or of all that it offers, that its own service does not
    override. In a group, `of_app` is the service of the app's resource, which the group's inherits from. Raises
    `ConfigurationError` where there is nothing to write."""
    model = served.entity.name
    offered = [verb for verb in VERBS if (verb in verbs if verbs else served.offers(verb))]
    written = [verb for verb in offered if not _has_own(service, verb)]
    if not written:
        raise _nothing(served, service, offered)
    if "get" in written:
        check_writable(served, "service", served.entity.key.attributes)
    name = service.__name__ if service is not None else plural_of(served) or f"{model}Service"
    if service is not None and service is of_app:
        name = f"{served.group.title().replace('.', '')}{name}"
    names = Names({*VERBS, name, "id", "row", "rows", "found", "draft", "changes", "query", "lock", "actor"})
    row = names.of_class(served.entity.model)
    notes: list[str] = []
    if service is not None and service is of_app:
        base = names.of_class(service)
    else:
        base = f"{names.of('gatepost', 'Service')}[{row}]"
    if service is not None and service is not of_app:
        kept = ", ".join(verb for verb in VERBS if _has_own(service, verb)) or "its hooks"
        place = location_of(service)
        notes.append(f"{name} is there already ({place}) and keeps {kept}: move these methods and imports there.")
    writer = ServiceWriter(served, service, names, row)
    body = docstring_lines(f"The verbs of {model}.", indent=4)
    for verb in written:
        body += ["", *writer.verb(verb)]
    module = ModuleSource(names)
    module.add_class(f"class {name}({base}):", body)
    differences = [LIST_DIFFERENCE] if "list" in written else []
    text = module.text(f"The verbs of {model}, written out by `gatepost eject`.", CONTRACT, *differences)
    return Ejected(model, "service", served.resource.source, text, {"service": name}, notes)


def _has_own(service: type[Service[Any]] | None, method: str) -> bool:
    return service is not None and getattr(service, method) is not getattr(Service, method)


def _nothing(served: ServedModel, service: type[Service[Any]] | None, offered: Sequence[str]) -> ConfigurationError:
    if service is not None and offered:
        problem, hint = f"{service.__name__} has {', '.join(offered)}.", "They are yours already."
    else:
        problem, hint = "opens no verb.", f"Say who may do what: Resource({served.entity.name}, read=..., write=...)."
    return nothing_to_write(served, "service", problem, hint)


class ServiceWriter:
    """Writes the verbs of one service. `row` is what its module calls the model."""

    def __init__(self, served: ServedModel, service: type[Service[Any]] | None, names: Names, row: str) -> None:
        self._served = served
        self._service = service
        self._names = names
        self._row = row
        self._actor = names.of("gatepost", "Actor")

    def verb(self, name: str) -> Sequence[str]:
        """The lines of one method."""
        write: dict[str, Callable[[], list[str]]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }
        return write[name]()

    def _get(self) -> list[str]:
        key, row = self._served.entity.key, self._row
        types = [type_of(self._served.entity.model, each, self._names) for each in key.attributes]
        kind = f"tuple[{', '.join(types)}]" if key.is_composite else types[0]
        values = [f"{name}_value" for name in key.names] if key.is_composite else ["id"]
        conditions = [
            f"{row}.{each.name} == {self._compared(each, value)}"
            for each, value in zip(key.attributes, values, strict=True)
        ]
        not_found = self._names.of("gatepost", "NotFound")
        return [
            *_method("get", [f"id: {kind}", f"actor: {self._actor}", "*", "lock: bool = False"], row),
            '    """The row with this key, locked where that is asked. Raises NotFound."""',
            *([f"    {', '.join(values)} = id"] if key.is_composite else []),
            *_indented(call_lines('found = self.select(actor, action="get").where', conditions, "", indent=8)),
            "    if lock:",
            f"        found = found.with_for_update(of={row})",
            "    row = (await self.session.scalars(found)).unique().one_or_none()",
            "    if row is None:",
            f'        raise {not_found}("not_found", "There is nothing here that you may see.")',
            "    return row",
        ]

    def _compared(self, attribute: Attribute, value: str) -> str:
        """A value to compare with a column of the key. Where SQLAlchemy would bind it by its class, as some numbers and
        intervals, it is bound by the type of the column."""
        if attribute.shape.python_type in (UUID, int, str) and not attribute.shape.is_decorated:
            return value
        return f"{self._names.of('sqlalchemy', 'literal')}({value}, {self._row}.{attribute.name}.type)"

    def _list(self) -> list[str]:
        sequence, query = self._names.of("collections.abc", "Sequence"), self._names.of("gatepost", "ListQuery")
        return [
            *_method("list", [f"query: {query}", f"actor: {self._actor}"], f"{sequence}[{self._row}]"),
            '    """The rows of a query, and one more if there are more."""',
            "    rows = await self.session.scalars(self.select(actor, query=query))",
            "    return rows.unique().all()",
        ]

    def _create(self) -> list[str]:
        return [
            *_method("create", [f"draft: {self._row}", f"actor: {self._actor}"], self._row),
            '    """Insert a row."""',
            *self._hook("before_create", "draft, actor"),
            "    self.session.add(draft)",
            "    await self.session.flush()",
            *self._hook("after_create", "draft, actor"),
            "    return draft",
        ]

    def _update(self) -> list[str]:
        changes = f"{self._names.of('gatepost', 'Changes')}[{self._row}]"
        return [
            *_method("update", [f"row: {self._row}", f"changes: {changes}", f"actor: {self._actor}"], self._row),
            '    """Change a row."""',
            *self._hook("before_update", "row, changes, actor"),
            "    changes.apply(row)",
            "    await self.session.flush()",
            *self._hook("after_update", "row, changes, actor"),
            "    return row",
        ]

    def _delete(self) -> list[str]:
        return [
            *_method("delete", [f"row: {self._row}", f"actor: {self._actor}"], "None"),
            '    """Delete a row."""',
            *self._hook("before_delete", "row, actor"),
            "    await self.session.delete(row)",
            "    await self.session.flush()",
            *self._hook("after_delete", "row, actor"),
        ]

    def _hook(self, name: str, arguments: str) -> list[str]:
        """The call of a small method, where the service has one of its own."""
        return [f"    await self.{name}({arguments})"] if _has_own(self._service, name) else []


def _method(name: str, parameters: list[str], returned: str) -> list[str]:
    return call_lines(f"async def {name}", ["self", *parameters], f" -> {returned}:", indent=4)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
