"""google.iam.v1.IAMPolicy: policies are kept and given back. Nobody is kept from anything."""

from typing import Any

from google.iam.v1 import iam_policy_pb2, policy_pb2

from deploy.local.standin.errors import NotThere
from deploy.local.standin.registry import Registry
from deploy.local.standin.rpc import Context, Gate, Method, service

NAME = "google.iam.v1.IAMPolicy"


class IamPolicies:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._policies: dict[str, Any] = {}

    def handler(self, gate: Gate) -> Any:
        answer = iam_policy_pb2.TestIamPermissionsResponse
        methods = (
            Method("SetIamPolicy", iam_policy_pb2.SetIamPolicyRequest, policy_pb2.Policy, self.set),
            Method("GetIamPolicy", iam_policy_pb2.GetIamPolicyRequest, policy_pb2.Policy, self.get),
            Method("TestIamPermissions", iam_policy_pb2.TestIamPermissionsRequest, answer, self.test),
        )
        return service(NAME, methods, gate)

    async def set(self, request: Any, _context: Context) -> Any:
        self._check(request.resource)
        self._policies[request.resource] = request.policy
        return request.policy

    async def get(self, request: Any, _context: Context) -> Any:
        self._check(request.resource)
        return self._policies.get(request.resource) or policy_pb2.Policy()

    async def test(self, request: Any, _context: Context) -> Any:
        self._check(request.resource)
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=request.permissions)

    def _check(self, name: str) -> None:
        """Raises NotThere. A policy outlives its resource: only who makes it anew could see that."""
        registry = self._registry
        if not any(name in there for there in (registry.topics, registry.subscriptions, registry.snapshots())):
            raise NotThere(name)
