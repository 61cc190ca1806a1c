"""The bookshop in FastAPI: SQLAlchemy's async ORM, pydantic models, dependencies, as its tutorial writes it."""

import base64
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from .database import get_session
from .models import Book
from .schemas import BookResponse, BookCreate, BookList, BookUpdate
from .security import get_current_user, get_editor

logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
logger = logging.getLogger("bookshop.access")
logger.setLevel(logging.INFO)

app = FastAPI()
app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["1000000000/15minutes"])
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
app.add_middleware(SlowAPIASGIMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"], allow_methods=["*"], allow_headers=["*"])

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}

Session = Annotated[AsyncSession, Depends(get_session)]


@app.middleware("http")
async def add_headers_and_log(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    response.headers.update(SECURITY_HEADERS)
    milliseconds = (time.perf_counter() - started) * 1000
    logger.info("%s %s %s %.1f ms", request.method, request.url.path, response.status_code, milliseconds)
    return response


@app.get("/livez")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/api/books/{id}", response_model=BookResponse, dependencies=[Depends(get_current_user)])
async def read_book(id: UUID, session: Session, response: Response):
    book = await session.get(Book, id)
    if book is None:
        raise HTTPException(404, "Book not found")
    response.headers["ETag"] = f'"{book.version}"'
    return {"data": book}


@app.get("/api/books", response_model=BookList, dependencies=[Depends(get_current_user)])
async def read_books(
    session: Session,
    price_below: Annotated[Decimal | None, Query(alias="price[lt]")] = None,
    sort: Annotated[str, Query(pattern="^-price$")] = "-price",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: str | None = None,
):
    statement = select(Book).order_by(Book.price.desc(), Book.id.desc()).limit(limit + 1)
    if price_below is not None:
        statement = statement.where(Book.price < price_below)
    if after is not None:
        price, id = json.loads(base64.urlsafe_b64decode(after))
        statement = statement.where(tuple_(Book.price, Book.id) < (Decimal(price), UUID(id)))
    books = (await session.scalars(statement)).all()
    page, following = books[:limit], None
    if len(books) > limit:
        last = page[-1]
        following = base64.urlsafe_b64encode(json.dumps([str(last.price), str(last.id)]).encode()).decode()
    return {"data": page, "page": {"limit": limit, "next": following, "prev": None}}


@app.post("/api/books", response_model=BookResponse, status_code=201, dependencies=[Depends(get_editor)])
async def create_book(draft: BookCreate, session: Session, response: Response):
    book = Book(**draft.model_dump())
    session.add(book)
    try:
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(422, "The author does not exist") from error
    response.headers["Location"] = f"/api/books/{book.id}"
    response.headers["ETag"] = f'"{book.version}"'
    return {"data": book}


@app.patch("/api/books/{id}", response_model=BookResponse, dependencies=[Depends(get_editor)])
async def update_book(id: UUID, changes: BookUpdate, session: Session, response: Response):
    book = await session.get(Book, id)
    if book is None:
        raise HTTPException(404, "Book not found")
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(book, name, value)
    await session.commit()
    response.headers["ETag"] = f'"{book.version}"'
    return {"data": book}
