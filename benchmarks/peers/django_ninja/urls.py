"""The bookshop in django-ninja: views that are plain functions over Django's ORM, orjson for bodies."""

import base64
import json
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import orjson
from django.db import IntegrityError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from ninja import NinjaAPI, Query
from ninja.errors import HttpError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from .models import Book
from .schemas import BookCreate, BookList, BookResponse, BookUpdate
from .security import CurrentUser, Editor


class ORJSONParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        return orjson.loads(request.body)


class ORJSONRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z)


api = NinjaAPI(title="Bookshop", parser=ORJSONParser(), renderer=ORJSONRenderer(), docs_url=None)


@api.get("/books/{uuid:id}", response=BookResponse, auth=CurrentUser())
def read_book(request: HttpRequest, response: HttpResponse, id: UUID):
    book = get_object_or_404(Book, id=id)
    response["ETag"] = f'"{book.version}"'
    return {"data": book}


@api.get("/books", response=BookList, auth=CurrentUser())
def read_books(
    request: HttpRequest,
    price_below: Annotated[Decimal | None, Query(alias="price[lt]")] = None,
    sort: Annotated[str, Query(pattern="^-price$")] = "-price",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: str | None = None,
):
    found = Book.objects.order_by("-price", "-id")
    if price_below is not None:
        found = found.filter(price__lt=price_below)
    if after is not None:
        price, id = json.loads(base64.urlsafe_b64decode(after))
        found = found.filter(Q(price__lt=price) | Q(price=price, id__lt=id))
    books = list(found[: limit + 1])
    page, following = books[:limit], None
    if len(books) > limit:
        last = page[-1]
        following = base64.urlsafe_b64encode(json.dumps([str(last.price), str(last.id)]).encode()).decode()
    return {"data": page, "page": {"limit": limit, "next": following, "prev": None}}


@api.post("/books", response={201: BookResponse}, auth=Editor())
def create_book(request: HttpRequest, response: HttpResponse, draft: BookCreate):
    try:
        book = Book.objects.create(**draft.dict())
    except IntegrityError as error:
        raise HttpError(422, "The author does not exist") from error
    response["Location"] = f"/api/books/{book.id}"
    response["ETag"] = f'"{book.version}"'
    return 201, {"data": book}


@api.patch("/books/{uuid:id}", response=BookResponse, auth=Editor())
def update_book(request: HttpRequest, response: HttpResponse, id: UUID, changes: BookUpdate):
    values = changes.dict(exclude_unset=True)
    if values:
        Book.objects.filter(id=id).update(**values)
    book = get_object_or_404(Book, id=id)  # as the trigger has left it
    response["ETag"] = f'"{book.version}"'
    return {"data": book}


def live(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b'{"status":"ok"}', content_type="application/json")


urlpatterns = [path("livez", live), path("api/", api.urls)]
