"""A small FastAPI application, and the gate in front of it. From the root of this repository:

    export GATEPOST_ENV=development
    granian --interface asgi --http 1 --no-ws --http1-header-read-timeout 8000 examples.fastapi_behind_the_gate.app:app

In development limits are a hundred times as generous and log lines readable, and the key that seals the cookies of
known devices is made in `.gatepost`. Without GATEPOST_ENV it is as in production, with GATEPOST_SIGNING_KEY_FILE.
"""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from gatepost import CORS
from gatepost.gateway import Gate, PathRules


class Book(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    price: Decimal = Field(ge=0, decimal_places=2)


class Credentials(BaseModel):
    name: str
    password: str


books: dict[int, Book] = {}
sessions: dict[str, str] = {}
SALT = b"one for each user, in a real application"


def hash_of(password: str) -> bytes:
    return hashlib.scrypt(password.encode(), salt=SALT, n=2**14, r=8, p=1)


users = {"ada": hash_of("correct horse")}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    books[1] = Book(title="The Dispossessed", price=Decimal("12.50"))
    yield
    books.clear()


api = FastAPI(title="Books", lifespan=lifespan, docs_url=None, redoc_url=None)


def find_user(headers: Mapping[str, str]) -> str | None:
    """The user of a request with these headers. The gate calls it, and so does the application."""
    return sessions.get(headers.get("authorization", "").removeprefix("Bearer "))


def signed_in(request: Request) -> str:
    user = find_user(request.headers)
    if user is None:
        raise HTTPException(401, "Sign in first.", {"www-authenticate": "Bearer"})
    return user


@api.get("/books")
async def list_books() -> list[Book]:
    return list(books.values())


@api.post("/books", status_code=201)
async def add_book(book: Book, _: Annotated[str, Depends(signed_in)]) -> Book:
    books[len(books) + 1] = book
    return book


@api.get("/books.csv")
async def export_books() -> StreamingResponse:
    def lines() -> Iterator[str]:
        yield "title,price\r\n"
        for book in books.values():
            yield f"{book.title},{book.price}\r\n"

    return StreamingResponse(lines(), media_type="text/csv")


@api.put("/books.csv")
async def import_books(request: Request, _: Annotated[str, Depends(signed_in)]) -> int:
    """How many lines came; they are read as they come, ten megabytes at most."""
    count = 0
    async for part in request.stream():
        count += part.count(b"\n")
    return count


@api.post("/login")
def sign_in(credentials: Credentials) -> str:
    known = users.get(credentials.name, bytes(64))
    if not secrets.compare_digest(known, hash_of(credentials.password)):
        raise HTTPException(401, "Wrong name or password.", {"www-authenticate": "Bearer"})
    token = secrets.token_urlsafe()
    sessions[token] = credentials.name
    return token


@api.get("/healthz")
async def is_healthy() -> bool:
    return True


app = Gate(
    api,
    identify=find_user,
    paths={
        "/login": PathRules(auth=True, account="name", signed_in=[200]),
        "/books/*": PathRules(cors=CORS("https://shop.example")),
        "PUT /books.csv": PathRules(content_types=["text/csv"], body_bytes_max=10_000_000),
        "/healthz": PathRules(probe=True),
    },
)
