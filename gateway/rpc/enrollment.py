"""EnrollmentService, the only service of its listener."""

from typing import Any

from gateway.members.enroll import Enrollment
from gateway.rpc.wellformed import check_request
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse
from homeward.gateway.v1.enrollment_pb2_grpc import EnrollmentServiceServicer


class EnrollmentServicer(EnrollmentServiceServicer):
    """Thin: parse, redeem."""

    def __init__(self, enrollment: Enrollment) -> None:
        self._enrollment = enrollment

    async def Enroll(self, request: EnrollRequest, context: Any) -> EnrollResponse:
        """Redeems a ticket."""
        check_request(request)
        return await self._enrollment.redeem(request)
