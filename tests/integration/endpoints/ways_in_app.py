"""A vault whose service overrides every verb and records which were called: what each way in has to come through."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    Changes,
    Controller,
    Created,
    Locked,
    Model,
    NotFound,
    Resource,
    Service,
    anyone,
    delete,
    get,
    post,
)
from gatepost.models.list_query import ListQuery

called: list[str] = []
"""The overridden verbs that were called, in order."""


class Vault(Model):
    __tablename__ = "ways_vaults"

    name: Mapped[str] = mapped_column(unique=True)


class VaultItem(Model):
    __tablename__ = "ways_items"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("ways_vaults.id"), index=True)
    vault: Mapped[Vault] = relationship()


class VaultKey(Model):
    """Refers to a vault, and is beside it."""

    __tablename__ = "ways_keys"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("ways_vaults.id"), index=True)
    vault: Mapped[Vault] = relationship()


class Vaults(Service[Vault]):
    """Hides vaults by name, which no policy says."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Vault:
        called.append("get locked" if lock else "get")
        row = await super().get(id, actor, lock=lock)
        if row.name.startswith("hidden"):
            raise NotFound("not_found", "There is nothing here that you may see.")
        return row

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Vault]:
        called.append("list")
        return await super().list(query, actor)

    async def create(self, draft: Vault, actor: Actor) -> Vault:
        called.append("create")
        return await super().create(draft, actor)

    async def update(self, row: Vault, changes: Changes[Vault], actor: Actor) -> Vault:
        called.append("update")
        return await super().update(row, changes, actor)

    async def delete(self, row: Vault, actor: Actor) -> None:
        called.append("delete")
        await super().delete(row, actor)


class VaultCard(DTO[Vault]):
    name: str


class KeyCard(DTO[VaultKey]):
    vault: VaultCard


class VaultRoutes(Controller[Vault]):
    vaults: Vaults

    @get("/{vault}/again", allow=anyone)
    async def again(self, vault: Vault) -> Vault:
        return vault

    @get("/named/{vault:name}", allow=anyone, answers=VaultCard)
    async def named(self, vault: Vault) -> Vault:
        return vault

    @post("/{vault}/locked", allow=anyone)
    async def locked(self, vault: Locked[Vault]) -> Vault:
        return vault

    @get("/found/{name}", allow=anyone, answers=VaultCard)
    async def found(self, name: str) -> Vault | None:
        return (await self.vaults.session.scalars(select(Vault).where(Vault.name == name))).one_or_none()

    @post("/made/{name}", allow=anyone)
    async def made(self, name: str, actor: Actor) -> Created[Vault]:
        return Created(await self.vaults.create(Vault(name=name), actor))

    @post("/renamed/{vault}/{name}", allow=anyone)
    async def renamed(self, vault: Vault, name: str, actor: Actor) -> Vault:
        return await self.vaults.update(vault, Changes[Vault]({Vault.name: name}), actor)

    @post("/ensured/{name}", allow=anyone)
    async def ensured(self, name: str, actor: Actor) -> str:
        return (await self.vaults.ensure(Vault(name=name), actor)).name

    @delete("/discarded/{name}", allow=anyone)
    async def discarded(self, name: str, actor: Actor) -> bool:
        return await self.vaults.discard(Vault(name=name), actor)

    @get("/selected/{name}", allow=anyone)
    async def selected(self, name: str) -> Select[Vault]:
        return select(Vault).where(Vault.name == name)


class VaultItemRoutes(Controller[VaultItem]):
    @get("/count", allow=anyone)
    async def count(self) -> int:
        return 1


class KeyRoutes(Controller[VaultKey]):
    @get("/{key}/card", allow=anyone, answers=KeyCard)
    async def card(self, key: VaultKey) -> VaultKey:
        return key


app = App(
    Resource(Vault, path="vaults", read=anyone, write=anyone, service=Vaults, controller=VaultRoutes, sort=["name"]),
    Resource(
        VaultItem, path="items", read=anyone, write=anyone, under="vaults/{vault:name}", controller=VaultItemRoutes
    ),
    Resource(VaultKey, path="keys", read=anyone, write=anyone, controller=KeyRoutes),
)
