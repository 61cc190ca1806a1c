"""The tables, which exist already."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func
from django.db.models.functions import Now


class UUID7(Func):
    function = "uuidv7"
    template = "%(function)s()"
    output_field = models.UUIDField()


class Record(models.Model):
    id = models.UUIDField(primary_key=True, db_default=UUID7())
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    version = models.IntegerField(db_default=1)

    class Meta:
        abstract = True


class User(Record):
    email = models.TextField(unique=True)
    password_hash = models.TextField()
    roles = ArrayField(models.TextField())
    is_active = models.BooleanField()

    class Meta:
        managed = False
        db_table = "users"


class Author(Record):
    name = models.CharField(max_length=200)

    class Meta:
        managed = False
        db_table = "authors"


class Book(Record):
    title = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.IntegerField(default=0)
    author = models.ForeignKey(Author, models.PROTECT)

    class Meta:
        managed = False
        db_table = "books"
