"""TokenService, of gateway and custodian alike."""

from typing import Any

from gateway.rpc.interceptor import current_peer
from gateway.rpc.wellformed import check_request
from gateway.tokens.evaluate import Evaluator
from homeward.gateway.v1.token_pb2 import EvaluateRequest, EvaluateResponse
from homeward.gateway.v1.token_pb2_grpc import TokenServiceServicer


class TokenServicer(TokenServiceServicer):
    """Thin: parse, evaluate in the peer's name."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    async def Evaluate(self, request: EvaluateRequest, context: Any) -> EvaluateResponse:
        """Evaluates a batch."""
        check_request(request)
        return await self._evaluator.evaluate(current_peer().agency, request.envelope)
