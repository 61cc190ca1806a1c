"""Domains: their values are sent, read and compared as those of the base type. SQLAlchemy leaves that to the driver."""

from typing import Any, cast

from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.sql.operators import OperatorClass

if DOMAIN.operator_classes is OperatorClass.UNSPECIFIED:
    # SQLAlchemy 2.1 has forgotten to say it, and warns of itself at every comparison.
    DOMAIN.operator_classes = OperatorClass.ANY


class Domain(DOMAIN):
    """A domain, as our dialects take it."""

    def bind_processor(self, dialect: Any) -> Any:
        """That of the base type."""
        return self._base(dialect).bind_processor(dialect)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """That of the base type."""
        return self._base(dialect).result_processor(dialect, coltype)

    def _base(self, dialect: Any) -> Any:
        return cast("Any", self).data_type.dialect_impl(dialect)
