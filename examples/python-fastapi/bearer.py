"""A FastAPI dependency that lets in whoever brings a token of the gateway."""

import jwt
from fastapi import HTTPException
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import Request


class Bearer(HTTPBearer):
    """Use as ``claims: Annotated[dict, Depends(Bearer(issuer, audience))]``, made once."""

    def __init__(self, issuer: str, audience: str, jwks: str | None = None):
        super().__init__(auto_error=False)
        self.issuer, self.audience = issuer, audience
        # It keeps the keys for 5 minutes, and asks for new ones on an unknown kid, at most once in 30 seconds (from
        # PyJWT 2.11 on; before, a stream of made-up kids asked each time).
        self.keys = jwt.PyJWKClient(jwks or f"{issuer}/.well-known/jwks.json", timeout=5)

    # No `async`: the client blocks, so this runs on a thread.
    def __call__(self, request: Request) -> dict:
        scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
        if scheme.lower() != "bearer" or not token:
            raise HTTPException(401, {"code": "token_missing"}, {"WWW-Authenticate": "Bearer"})
        try:
            key = self.key(token)
            return jwt.decode(
                token,
                key,  # with its own alg: a PyJWK takes no other
                # Whatever wxgate can be set to. Never an HS: a public key is no secret.
                algorithms=["ES256", "EdDSA", "RS256"],
                issuer=self.issuer,
                audience=self.audience,
                leeway=60,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            code = "token_expired" if isinstance(error, jwt.ExpiredSignatureError) else "token_invalid"
            raise HTTPException(401, {"code": code}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None

    def key(self, token: str) -> jwt.PyJWK:
        """The key that the token names."""
        try:
            # First the keys as such: the client says of a set without keys what it says of a kid that isn't in it.
            self.keys.get_signing_keys()
        except (jwt.PyJWKClientError, jwt.PyJWKSetError, ValueError, OSError):
            raise self.later() from None
        try:
            return self.keys.get_signing_key_from_jwt(token)
        except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, ValueError, OSError):
            raise self.later() from None

    @staticmethod
    def later() -> HTTPException:
        """Without keys the token may well be good. A 401 would have every client log in again."""
        return HTTPException(503, {"code": "keys_unavailable"}, {"Retry-After": "5"})
