"""Names of resources: `projects/<project>/<kind>/<id>`. https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names"""

import re

from deploy.local.standin.errors import InvalidArgument

TOPICS, SUBSCRIPTIONS, SNAPSHOTS = "topics", "subscriptions", "snapshots"
DELETED_TOPIC = "_deleted-topic_"

_ID = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}", re.ASCII)
_PROJECT = re.compile(r"projects/[^/\s]+")


def check_name(name: str, kind: str) -> str:
    """`name`, if a resource of this kind may be called so. Raises InvalidArgument."""
    project, _, rest = name.partition(f"/{kind}/")
    if not _PROJECT.fullmatch(project) or not _ID.fullmatch(rest):
        raise InvalidArgument(
            f"Invalid [{kind}] name: (name={name}): it must look like projects/<project>/{kind}/<id>, where the id has "
            "3 to 255 characters, begins with a letter, does not begin with 'goog', and has only letters, digits and -_.~+%"
        )
    return name


def check_project(name: str) -> str:
    """`name`, if it is a project's: `projects/<project>`. Raises InvalidArgument."""
    if not _PROJECT.fullmatch(name):
        raise InvalidArgument(f"Invalid project name given (name={name}): it must look like projects/<project>.")
    return name


def project_of(name: str) -> str:
    """`projects/<project>` of any resource's name."""
    return "/".join(name.split("/", 2)[:2])
