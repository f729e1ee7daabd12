"""Who asks, and what that allows: the one place where a route gets the owner from whose jobs it may see."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request

from api_service.errors import ScopeTooSmall, Unauthenticated

LOCAL = "local"


class Scope(StrEnum):
    SUBMIT = "submit"  # submit, upload, cancel, retry, delete: one's own
    READ = "read"  # one's own jobs; models, workers, statistics
    ADMIN = "admin"  # promote, dead letters, keys; everybody's jobs


@dataclass(frozen=True, slots=True)
class Caller:
    """owner: whom the jobs belong to that this caller submits."""

    owner: str
    scopes: frozenset[Scope]

    @property
    def sees(self) -> str | None:
        """The owner whose rows statements are narrowed to; None: everybody's."""
        return None if Scope.ADMIN in self.scopes else self.owner


# Without authentication there is one owner, who may do everything with what is theirs: all that there is.
LOCAL_CALLER = Caller(LOCAL, frozenset(Scope))


def caller_of(request: Request, scope: Scope) -> Caller:
    """Raises Unauthenticated where nobody was recognised, and ScopeTooSmall where their credentials do not allow it."""
    caller: Caller | None = request.scope.get("caller")
    if caller is None:
        raise Unauthenticated
    if scope not in caller.scopes:
        raise ScopeTooSmall(f"This needs the scope `{scope}`; yours: {', '.join(sorted(caller.scopes)) or 'none'}.")
    return caller
