"""A named tuple of arrays passed to compiled code as one pointer.

Numba passes a tuple by value: seven to nine machine words an array, some two hundred for a state, pushed on the stack
at every call that is not inlined. `lend` puts the tuple on the stack of the entry once; stages get its address and
load what they read. Valid while the entry that lent it runs, which is all that stages live for.
Numba's low-level extension interface: https://numba.readthedocs.io/en/stable/extending/low-level.html
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import lower_builtin, lower_getattr_generic
from numba.core.types.containers import BaseNamedTuple
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import register_model, type_callable

__all__ = ["lend"]

T = TypeVar("T")


def lend(held: T) -> T:
    """`held`, a named tuple of arrays, for the compiled callees of a compiled caller; in plain Python itself."""
    return held


class _Lent(types.Type):  # type: ignore[misc]
    """Pointer to a named tuple; its name is short because every symbol bears the names of its arguments."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        digest = hashlib.sha256(str(dtype).encode()).hexdigest()[:16]
        super().__init__(name=f"Lent({dtype.instance_class.__name__}, {digest})")


register_model(_Lent)(models.PointerModel)


@type_callable(lend)
def _type_of_lend(context: Any) -> Any:
    def typer(held: Any) -> Any:
        return _Lent(held) if isinstance(held, BaseNamedTuple) else None

    return typer


@lower_builtin(lend, BaseNamedTuple)
def _lower_lend(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    model = context.data_model_manager[sig.args[0]]
    return cgutils.alloca_once_value(builder, model.as_data(builder, args[0]))


@infer_getattr
class _LentAttribute(AttributeTemplate):  # type: ignore[misc]
    key = _Lent

    def generic_resolve(self, lent: Any, attr: str) -> Any:
        """Type of a field of what was lent; None where it has no such field."""
        held = lent.dtype
        return held[held.fields.index(attr)] if attr in held.fields else None


@lower_getattr_generic(_Lent)
def _lower_attribute(context: Any, builder: Any, lent: Any, pointer: Any, attr: str) -> Any:
    position = lent.dtype.fields.index(attr)
    model = context.data_model_manager[lent.dtype[position]]
    return model.load_from_data_pointer(builder, cgutils.gep_inbounds(builder, pointer, 0, position))
